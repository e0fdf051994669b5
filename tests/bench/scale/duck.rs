//! The same questions for DuckDB, on the same segments, through Python.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Args;
use crate::questions::{Answer, Chosen};

/// Prints a line for each question, in the order in which inga is asked: seconds and sum.
const SCRIPT: &str = r#"
import duckdb, sys, time
history, runs = sys.argv[1], int(sys.argv[2])
types, hosts = ([int(word) for word in words.split(",")] for words in sys.argv[3:5])
db = duckdb.connect()
db.execute("SET threads = 2")
db.execute("SET enable_progress_bar = false")
for table in ("sightings", "counts"):
    db.execute(f"CREATE VIEW {table} AS SELECT * FROM read_parquet('{history}/{table}/*/*/*.parquet')")

def one_by_one(query, values):
    return lambda: sum(row[0] for value in values for row in db.execute(query, [value]).fetchall())

def all_days():
    return sum(row[2] for row in db.execute("""SELECT sensor, day, count(DISTINCT (host4, host6)) FROM sightings
        WHERE NOT facet GROUP BY ALL""").fetchall())

def ask(question, parts):
    total, times = question(), []
    for _ in range(runs):
        began = time.time()
        question()
        times.append((time.time() - began) / parts)
    print(sorted(times)[runs // 2], int(total))

ask(one_by_one("""SELECT sum(windows + packets + hosts) FROM counts
    WHERE type = ? AND NOT facet AND hour IS NULL GROUP BY sensor, day""", types), len(types))
ask(one_by_one("""SELECT windows + packets FROM sightings WHERE host4 = ?::UINTEGER AND NOT facet""", hosts), len(hosts))
ask(all_days, 1)
ask(all_days, 1)
"#;

/// Returns `None`, and says so, where Python has no DuckDB.
pub(crate) fn ask(args: &Args, history: &Path, chosen: &Chosen) -> Option<Vec<Answer>> {
    let import = Command::new(&args.python).args(["-c", "import duckdb"]).stderr(Stdio::null()).status();
    if !import.is_ok_and(|status| status.success()) {
        println!("DuckDB is not measured: `{} -c 'import duckdb'` fails", args.python.display());
        return None;
    }
    let list = |numbers: Vec<String>| numbers.join(",");
    let types = list(chosen.types.iter().map(u64::to_string).collect());
    let hosts = list(chosen.hosts.iter().map(|host| host.to_bits().to_string()).collect());
    let mut command = Command::new(&args.python);
    command.args(["-c", SCRIPT]).arg(history).arg(args.runs.to_string()).args([types, hosts]);
    let output = command.output().expect("Python");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let printed = String::from_utf8(output.stdout).expect("UTF-8");
    let answer = |line: &str| {
        let (seconds, sum) = line.split_once(' ').expect("two numbers");
        let (seconds, sum) = (seconds.parse().expect("seconds"), sum.parse().expect("a sum"));
        Answer { name: "", seconds, sum }
    };
    Some(printed.lines().map(answer).collect())
}
