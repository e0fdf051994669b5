//! The same cells in DuckDB, sorted by type, asked through Python.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::Cell;
use crate::questions::{Answers, ONE_BY_ONE};

const SCRIPT: &str = r#"
import duckdb, os, sys, time
folder, one_by_one = sys.argv[1], int(sys.argv[2])
path = os.path.join(folder, "duck.db")
if os.path.exists(path): os.remove(path)
db = duckdb.connect(path)
db.execute("SET threads = 2")
# Else a bar of progress is drawn on standard output, before the numbers.
db.execute("SET enable_progress_bar = false")
columns = "{'sensor':'UTINYINT','day':'USMALLINT','type':'UINTEGER','windows':'UINTEGER','packets':'UINTEGER','hosts':'UINTEGER'}"
db.execute(f"CREATE TABLE cell AS SELECT * FROM read_csv('{folder}/cells.csv', header=false, columns={columns}) ORDER BY type, sensor, day")
db.execute("CHECKPOINT")
asked = [int(line) for line in open(os.path.join(folder, "asked.txt"))]
def fill(db):
    db.execute("CREATE TEMP TABLE asked AS SELECT unnest(?::UINTEGER[]) AS type", [asked])
fill(db)
many = "SELECT sum(windows::BIGINT + packets + hosts) FROM cell JOIN asked USING (type)"
one = "SELECT sum(windows::BIGINT + packets + hosts) FROM cell WHERE type = ?"
db.execute(many).fetchone()
began = time.time()
for a in asked[:one_by_one]: db.execute(one, [a]).fetchone()
took = (time.time() - began) / one_by_one
began = time.time()
total = db.execute(many).fetchone()[0]
print("told", took, time.time() - began, total, os.path.getsize(path))
def cold(query, values):
    global db
    db.close()
    os.sync()
    open("/proc/sys/vm/drop_caches", "w").write("3")
    db = duckdb.connect(path)
    db.execute("SET threads = 2")
    fill(db)
    began = time.time()
    db.execute(query, values).fetchone()
    return time.time() - began
try:
    print("cold", sum(cold(one, [a]) for a in asked[:10]) / 10, cold(many, []))
except OSError:
    pass
db.close()
os.remove(path)
"#;

/// `None` where DuckDB is not there.
pub(crate) fn measure(folder: &Path, cells: &[Cell], asked: &[u32]) -> Option<Answers> {
    let import = Command::new("python3").args(["-c", "import duckdb"]).stderr(Stdio::null()).status();
    if !import.is_ok_and(|status| status.success()) {
        return None;
    }
    let mut out = BufWriter::new(File::create(folder.join("cells.csv")).expect("a file"));
    for Cell { sensor, day, number, windows, packets, hosts } in cells {
        writeln!(out, "{sensor},{day},{number},{windows},{packets},{hosts}").expect("a disk with room");
    }
    drop(out);
    let lines: Vec<String> = asked.iter().map(u32::to_string).collect();
    std::fs::write(folder.join("asked.txt"), lines.join("\n")).expect("a file");
    let folder_text = folder.to_str().expect("UTF-8");
    let output = Command::new("python3").args(["-c", SCRIPT, folder_text, &ONE_BY_ONE.to_string()]).output();
    std::fs::remove_file(folder.join("cells.csv")).expect("the file");
    let output = output.expect("python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).expect("UTF-8");
    let numbers = |word: &str| -> Option<Vec<f64>> {
        let line = told.lines().find_map(|line| line.strip_prefix(word))?;
        Some(line.split_whitespace().map(|word| word.parse().expect("a number")).collect())
    };
    let warm = numbers("told ").unwrap_or_default();
    let [one, many, sum, bytes] = warm[..] else { panic!("DuckDB told {told}") };
    let cold = numbers("cold ").map(|cold| (cold[0], cold[1]));
    let bytes = Some(bytes / crate::number(cells.len() as u64));
    Some(Answers { one, many, cold, sum: sum as u64, bytes })
}
