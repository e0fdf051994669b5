"""Recounts histories with DuckDB and with pyarrow, which know nothing of inga, and compares with inga's answers.

    python3 -m venv target/recount
    target/recount/bin/pip install --requirement tests/recount/requirements.txt
    target/recount/bin/python tests/recount/recount.py target/release/inga

Histories are made from samples/darknet by the given program: one as it was fed, with days that lie in several segments,
and the same one compacted. DuckDB's one-liners of README.md are run, too. Any difference ends the run with exit code 1.
What the columns mean is in src/store/local/FORMAT.md.
"""

import hashlib
import json
import os
import re
import sqlite3
import struct
import subprocess
import sys
import tempfile
from pathlib import Path

import duckdb
import pyarrow
import pyarrow.compute as compute
import pyarrow.parquet as parquet

ROOT = Path(__file__).resolve().parents[2]
DARKNET = ROOT / "samples/darknet"
SENSORS = {"north": ("203.0.113.0/24", "Asia/Tokyo"), "south": ("198.51.100.0/24", "UTC")}
OUTAGE = ("2009-02-27", "2009-03-09")
# The last capture of each sensor is fed in parts, cut within its last day.
PARTS = 3
# Types whose series are compared: 1 to 4 packets of TCP to one port of one address, such as figure 5 of the report has.
CANONICAL = "bt1|sp={ports}|pk={packets}|dp=1|di=1|tr=-|pt={port}|pr=TCP:S"
PORTS = [22, 23, 80, 135, 139, 443, 445, 1433, 2323, 3389, 5555, 8080]
TYPES_MIN = 5

compared = 0
differences = []


def compare(about, counted, answered):
    """Notes a difference between the count of another program and inga's answer."""
    global compared
    if isinstance(counted, dict):
        for key in sorted(counted.keys() | answered.keys()):
            compare(f"{about}, {key}", counted.get(key), answered.get(key))
        return
    compared += 1
    if counted != answered:
        differences.append(f"{about}: counted {counted}, inga says {answered}")


def inga(*words):
    """Runs inga, which must succeed, and returns its standard output."""
    return subprocess.run([PROGRAM, *map(str, words)], check=True, capture_output=True, text=True, cwd=ROOT).stdout


def feed(history, sensor, capture):
    inga("observe", "--history", history, "--sensor", sensor, capture)


def parts_of(capture, folder):
    """Cuts a compressed pcap into captures, each after the other in time, the first cut early on its last day."""
    data = pyarrow.input_stream(str(capture), compression="zstd").read()
    ends, seconds, at = [], [], 24
    while at + 16 <= len(data):
        second, _, captured, _ = struct.unpack("<IIII", data[at : at + 16])
        at += 16 + captured
        ends.append(at)
        seconds.append(second)
    last_day = [end for end, second in zip(ends, seconds) if second >= seconds[-1] - 43_200]
    assert len(last_day) > PARTS, f"{capture} has too few packets in its last hours"
    cuts = [24, *(last_day[part * len(last_day) // PARTS] for part in range(PARTS - 1)), len(data)]
    for part, (begin, end) in enumerate(zip(cuts, cuts[1:])):
        path = folder / f"{capture.name.split('.')[0]}-{part}.pcap"
        path.write_bytes(data[:24] + data[begin:end])
        yield path


def make(history, folder):
    """Feeds the darknet that ships with inga."""
    for sensor, (prefix, zone) in SENSORS.items():
        inga("sensor", "add", sensor, "--history", history, "--prefix", prefix, "--time-zone", zone)
        *whole, last = sorted((DARKNET / sensor).glob("*.pcap.zst"))
        for capture in whole:
            feed(history, sensor, capture)
        for part in parts_of(last, folder):
            feed(history, sensor, part)
    inga("sensor", "outage", "south", "--history", history, "--from", OUTAGE[0], "--to", OUTAGE[1])


class Catalog:
    """The segments that are valid, by sensor and kind, and the days that have a value."""

    def __init__(self, history):
        with sqlite3.connect(f"file:{history}/catalog.sqlite?mode=ro", uri=True) as catalog:
            self.sensors = dict(catalog.execute("SELECT id, name FROM sensor"))
            self.files = {}
            for path, sensor, kind in catalog.execute("SELECT path, sensor, kind FROM segment ORDER BY path"):
                self.files.setdefault((self.sensors[sensor], kind), []).append(str(history / path))
            outages = [
                (self.sensors[sensor], first, last)
                for sensor, first, last in catalog.execute("SELECT sensor, first_day, last_day FROM outage")
            ]
            self.days = {
                (self.sensors[sensor], day)
                for sensor, day in catalog.execute("SELECT sensor, day FROM day")
                if not any(self.sensors[sensor] == of and first <= day <= last for of, first, last in outages)
            }


def number_of(canonical):
    """The number of a type: the first 63 bits of the MD5 of its canonical string."""
    return int(hashlib.md5(canonical.encode()).hexdigest()[:16], 16) >> 1


class Duck:
    """Counts with SQL."""

    name = "DuckDB"

    def days(self, files, number=None):
        """Packets, windows, unique hosts and types of each day, of whole windows."""
        where = "" if number is None else f"AND type = {number}"
        query = f"""SELECT day::VARCHAR, sum(packets)::BIGINT, sum(windows)::BIGINT, count(DISTINCT (host4, host6)),
                    count(DISTINCT type) FROM read_parquet({files}) WHERE NOT facet {where} GROUP BY day"""
        return {row[0]: row[1:] for row in duckdb.sql(query).fetchall()}

    def hours(self, files):
        """Packets and windows of each hour of a day."""
        query = f"""SELECT day::VARCHAR, hour, sum(packets)::BIGINT, sum(windows)::BIGINT FROM read_parquet({files})
                    WHERE NOT facet AND hour IS NOT NULL GROUP BY day, hour"""
        return {(day, hour): (packets, windows) for day, hour, packets, windows in duckdb.sql(query).fetchall()}

    def counts(self, files):
        """Packets, windows and hosts of each type and day, as the counts have them."""
        query = f"""SELECT type, facet, day::VARCHAR, sum(packets)::BIGINT, sum(windows)::BIGINT, sum(hosts)::BIGINT
                    FROM read_parquet({files}) WHERE daily GROUP BY ALL"""
        return {row[:3]: row[3:] for row in duckdb.sql(query).fetchall()}

    def sums(self, files):
        """The same, counted again from sightings."""
        query = f"""SELECT type, facet, day::VARCHAR, sum(packets)::BIGINT, sum(windows)::BIGINT,
                    count(DISTINCT (host4, host6)) FROM read_parquet({files}) GROUP BY ALL"""
        return {row[:3]: row[3:] for row in duckdb.sql(query).fetchall()}

    def hosts(self, files):
        """Unique hosts of each month."""
        query = f"""SELECT strftime(day, '%Y-%m'), count(DISTINCT (host4, host6)) FROM read_parquet({files})
                    WHERE NOT facet GROUP BY ALL"""
        return dict(duckdb.sql(query).fetchall())


class Arrow:
    """Counts the same with pyarrow's own reader and kernels."""

    name = "pyarrow"

    def table(self, files):
        tables = [parquet.read_table(file, partitioning=None) for file in files]
        table = pyarrow.concat_tables(tables)
        return table.set_column(0, "day", table["day"].cast(pyarrow.string()))

    def whole(self, files, number=None):
        table = self.table(files)
        table = table.filter(compute.invert(table["facet"]))
        return table if number is None else table.filter(compute.equal(table["type"], number))

    def grouped(self, table, keys):
        """Sums, and distinct values (NULL is none of them; each row has either kind of address)."""
        wanted = [("packets", "sum"), ("windows", "sum")]
        distinct = [name for name in ("host4", "host6", "type") if name in table.column_names and name not in keys]
        result = table.group_by(keys).aggregate(wanted + [(name, "count_distinct") for name in distinct])
        return result.to_pylist()

    def days(self, files, number=None):
        rows = self.grouped(self.whole(files, number), ["day"])
        return {row["day"]: (row["packets_sum"], row["windows_sum"], hosts_of(row), row["type_count_distinct"]) for row in rows}

    def hours(self, files):
        table = self.whole(files)
        rows = self.grouped(table.filter(compute.is_valid(table["hour"])), ["day", "hour"])
        return {(row["day"], row["hour"]): (row["packets_sum"], row["windows_sum"]) for row in rows}

    def counts(self, files):
        table = self.table(files)
        table = table.filter(table["daily"])
        keys = ["type", "facet", "day"]
        rows = table.group_by(keys).aggregate([(name, "sum") for name in ("packets", "windows", "hosts")]).to_pylist()
        return {tuple(row[key] for key in keys): (row["packets_sum"], row["windows_sum"], row["hosts_sum"]) for row in rows}

    def sums(self, files):
        keys = ["type", "facet", "day"]
        rows = self.grouped(self.table(files), keys)
        return {tuple(row[key] for key in keys): (row["packets_sum"], row["windows_sum"], hosts_of(row)) for row in rows}

    def hosts(self, files):
        table = self.whole(files)
        table = table.append_column("span", compute.utf8_slice_codeunits(table["day"], 0, 7))
        return {row["span"]: hosts_of(row) for row in self.grouped(table, ["span"])}


def hosts_of(row):
    return row["host4_count_distinct"] + row["host6_count_distinct"]


def series(history, sensor, *words):
    lines = inga("series", "--history", history, "--sensor", sensor, "--format", "json", *words).splitlines()
    return [json.loads(line) for line in lines]


def compare_days(about, catalog, sensor, counted, rows):
    """Every recorded day is compared; others have no value."""
    days = {row["first"] for row in rows}
    missing = {day for of, day in catalog.days if of == sensor} - days
    compare(f"{about}: recorded days that inga does not show", set(), missing)
    for row in rows:
        day = row["first"]
        values = tuple(row[name] for name in ("packets", "windows", "hosts", "types"))
        recorded = (sensor, day) in catalog.days
        compare(f"{about} on {day}", counted.get(day, (0, 0, 0, 0)) if recorded else (None,) * 4, values)


def compare_hours(about, counted, rows):
    """Hours are numbered from the first of their day."""
    number, day, with_value = 0, None, 0
    for row in rows:
        number = number + 1 if row["first"][:10] == day else 0
        day = row["first"][:10]
        if row["packets"] is not None:
            with_value += row["packets"] > 0
            values = (row["packets"], row["windows"])
            compare(f"{about} in hour {number} of {day}", counted.get((day, number), (0, 0)), values)
    compare(f"{about}: hours with packets", True, with_value > 10)


def types_in(files):
    """Types of which the canonical string is known and that were sighted."""
    known = [CANONICAL.format(ports=ports, packets=packets, port=port) for ports in (1, 2) for packets in (1, 2, 3, 4) for port in PORTS]
    sighted = {row[0] for row in duckdb.sql(f"SELECT DISTINCT type FROM read_parquet({files})").fetchall()}
    return [canonical for canonical in known if number_of(canonical) in sighted]


def recount(about, history, merged):
    catalog = Catalog(history)
    compare(f"{about}: sensors", set(SENSORS), set(catalog.sensors.values()))
    for sensor in SENSORS:
        sightings, counts = catalog.files[sensor, "sightings"], catalog.files[sensor, "counts"]
        all_days = series(history, sensor)
        hours = series(history, sensor, "--by", "hour", "--from", "2009-04-20")
        months = {row["first"][:7]: row["hosts"] for row in series(history, sensor, "--by", "month")}
        types = types_in(sightings)
        compare(f"{about}, {sensor}: {TYPES_MIN} types or more", True, len(types) >= TYPES_MIN)
        of_types = {
            canonical: series(history, sensor, "--filter", "type:" + hashlib.md5(canonical.encode()).hexdigest())
            for canonical in types
        }
        for reader in (Duck(), Arrow()):
            name = f"{about}, {sensor}, {reader.name}"
            before = compared
            compare_days(name, catalog, sensor, reader.days(sightings), all_days)
            compare_hours(name, {hour: sums for hour, sums in reader.hours(counts).items()}, hours)
            for canonical, rows in of_types.items():
                counted = reader.days(sightings, number_of(canonical))
                compare_days(f"{name}, {canonical}", catalog, sensor, counted, rows)
            # An outage within a month takes hosts away from it.
            for month, hosts in reader.hosts(sightings).items():
                if sensor != "south" or month not in (OUTAGE[0][:7], OUTAGE[1][:7]):
                    compare(f"{name}, hosts of {month}", hosts, months.get(month))
            kept, again = reader.counts(counts), reader.sums(sightings)
            # Hosts of a day in several segments do not add up.
            width = 3 if merged else 2
            shorten = lambda sums: {key: values[:width] for key, values in sums.items()}
            compare(f"{name}: counts and sightings", shorten(again), shorten(kept))
            print(f"{name}: {len(sightings)} segments, {len(types)} types, {compared - before} values compared")


def one_liners(folder):
    """Runs README's one-liners where `history` is the history: the first counts all days, the second a type."""
    lines = re.findall(r'^    duckdb -c "(.*)"$', (ROOT / "README.md").read_text(), re.MULTILINE)
    compare("README.md: one-liners for DuckDB", True, len(lines) >= 2)
    os.chdir(folder)
    rows = [duckdb.sql(line).fetchall() for line in lines]
    catalog = Catalog(folder / "history")
    of_all = {(sensor, day): sums for sensor in SENSORS for day, sums in Duck().days(catalog.files[sensor, "sightings"]).items()}
    answered = {(sensor, str(day)): (packets, hosts) for sensor, day, packets, hosts in rows[0]}
    compare("README.md: all days", {key: (sums[0], sums[2]) for key, sums in of_all.items()}, answered)
    canonical = re.search(r"'(bt1\|[^']*)'", lines[1]).group(1)
    for sensor in SENSORS:
        counted = Duck().days(catalog.files[sensor, "sightings"], number_of(canonical))
        answered = {str(day): (packets, hosts) for of, day, packets, hosts in rows[1] if of == sensor}
        compare(f"README.md: {canonical}, {sensor}", {day: (sums[0], sums[2]) for day, sums in counted.items()}, answered)
    compare(f"README.md: {canonical} was sighted", True, len(rows[1]) > 0)
    print(f"README.md: {len(lines)} one-liners, {[len(some) for some in rows]} rows")


def main():
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        history = folder / "history"
        make(history, folder)
        with sqlite3.connect(f"file:{history}/catalog.sqlite?mode=ro", uri=True) as catalog:
            (in_parts,) = catalog.execute("SELECT count(*) FROM day WHERE hosts IS NULL").fetchone()
        compare("days that lie in several segments", True, in_parts > 0)
        print(f"as fed: {in_parts} days lie in several segments")
        recount("as fed", history, merged=False)
        inga("history", "compact", "--all", "--history", history)
        recount("compacted", history, merged=True)
        one_liners(folder)
    print(f"{compared} values compared, {len(differences)} differ")
    for difference in differences[:40]:
        print(difference)
    return 1 if differences else 0


if len(sys.argv) != 2:
    sys.exit(__doc__)
PROGRAM = str(Path(sys.argv[1]).resolve())
sys.exit(main())
