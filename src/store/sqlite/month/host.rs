//! A month's directory of hosts, as blocks.

use std::cell::OnceCell;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::ops::Range;

use ipnet::IpNet;
use rusqlite::{Connection, Transaction};

use crate::history::Hosts;
use crate::history::month::{BLOCK, Block, Directory};
use crate::store::StoreError;

use super::super::codec;
use super::Month;

/// The hosts of a month by number, read block by block when they are asked for, and which numbers are wanted.
#[derive(Debug)]
pub(in super::super) struct Numbers {
    month: i64,
    blocks: Vec<Known>,
    /// The numbers of the hosts that are wanted.
    pub(in super::super) wanted: Range<u64>,
}

/// A block: the number and the key of its first host, and its hosts, once they were asked for.
#[derive(Debug)]
struct Known {
    first: u64,
    key: Vec<u8>,
    hosts: OnceCell<Directory>,
}

impl Numbers {
    /// The hosts of a month, or of a prefix only.
    pub(in super::super) fn of(
        connection: &Connection,
        month: &Month,
        sources: Option<&IpNet>,
    ) -> Result<Numbers, StoreError> {
        // The block before the prefix's first host may hold that host.
        let sql = "SELECT first, host FROM host WHERE month = ?1 AND host <= ?3 AND host >= coalesce(
                       (SELECT max(host) FROM host WHERE month = ?1 AND host <= ?2), x'') ORDER BY host";
        let (low, high) = match sources {
            Some(net) => (key(net.network()), key(net.broadcast())),
            None => (Vec::new(), vec![u8::MAX]),
        };
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query((month.id, low, high))?;
        let mut blocks = Vec::new();
        while let Some(row) = rows.next()? {
            let first = codec::uncount(row.get(0)?);
            blocks.push(Known { first, key: row.get(1)?, hosts: OnceCell::new() });
        }
        let mut numbers = Numbers { month: month.id, blocks, wanted: 0..month.hosts };
        if let Some(net) = sources {
            numbers.wanted = numbers.range(connection, net)?;
        }
        Ok(numbers)
    }

    /// The numbers of the hosts of a prefix: they begin in its first block and end in its last.
    fn range(&self, connection: &Connection, net: &IpNet) -> Result<Range<u64>, StoreError> {
        let (Some(first), Some(last)) = (self.blocks.first(), self.blocks.last()) else { return Ok(0..0) };
        let (low, high) = (self.hosts_of(connection, first)?, self.hosts_of(connection, last)?);
        Ok(first.first + low.range(net).start..last.first + high.range(net).end)
    }

    fn hosts_of<'b>(&self, connection: &Connection, block: &'b Known) -> Result<&'b Directory, StoreError> {
        if let Some(hosts) = block.hosts.get() {
            return Ok(hosts);
        }
        let sql = "SELECT hosts FROM host WHERE month = ?1 AND host = ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query((self.month, &block.key))?;
        let mut directory = Directory::default();
        while let Some(row) = rows.next()? {
            directory.add_block(row.get_ref(0)?.as_blob()?)?;
        }
        Ok(block.hosts.get_or_init(|| directory))
    }

    /// The host of a number that is wanted.
    pub(in super::super) fn host(&self, connection: &Connection, number: u64) -> Result<IpAddr, StoreError> {
        let missing = || StoreError::Damaged(format!("no host {number}"));
        let after = self.blocks.partition_point(|block| block.first <= number);
        let block = after.checked_sub(1).and_then(|at| self.blocks.get(at)).ok_or_else(missing)?;
        self.hosts_of(connection, block)?.host(number - block.first).ok_or_else(missing)
    }

    /// The numbers of those of some hosts that have one, ascending.
    pub(in super::super) fn numbers(
        &self,
        connection: &Connection,
        hosts: Hosts,
    ) -> Result<Vec<u64>, StoreError> {
        let (fours, sixes) = hosts.sorted();
        let fours = fours.into_iter().map(|four| IpAddr::from(Ipv4Addr::from(four)));
        let mut numbers = Vec::new();
        for host in fours.chain(sixes.into_iter().map(|six| Ipv6Addr::from(six).into())) {
            let key = key(host);
            let after = self.blocks.partition_point(|block| block.key <= key);
            let Some(block) = after.checked_sub(1).and_then(|at| self.blocks.get(at)) else { continue };
            let number = self.hosts_of(connection, block)?.number(host);
            numbers.extend(number.map(|number| block.first + number));
        }
        Ok(numbers)
    }

    /// How many hosts may come to be in memory.
    pub(in super::super) fn held(&self) -> u64 {
        let last = self.wanted.end.checked_sub(1).map_or(0, |last| last / BLOCK);
        if self.wanted.is_empty() { 0 } else { (last - self.wanted.start / BLOCK + 1) * BLOCK }
    }

    /// All hosts, ascending.
    pub(in super::super) fn each_host(
        &self,
        connection: &Connection,
        sink: &mut dyn FnMut(IpAddr),
    ) -> Result<(), StoreError> {
        for block in &self.blocks {
            let hosts = self.hosts_of(connection, block)?;
            (0..hosts.len()).filter_map(|number| hosts.host(number)).for_each(&mut *sink);
        }
        Ok(())
    }
}

/// Bytes that sort as hosts do.
fn key(host: IpAddr) -> Vec<u8> {
    match host {
        IpAddr::V4(four) => [&[4][..], &four.octets()].concat(),
        IpAddr::V6(six) => [&[6][..], &six.octets()].concat(),
    }
}

/// Writes a directory.
pub(super) fn write(
    transaction: &Transaction<'_>,
    month: i64,
    directory: &Directory,
) -> Result<(), StoreError> {
    let sql = "INSERT INTO host (month, host, first, hosts, checksum) VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = transaction.prepare_cached(sql)?;
    for Block { first, host, bytes } in directory.blocks() {
        let (host, first) = (key(host), codec::count(first));
        let checksum = codec::checksum(&[month, first], [&host, &bytes]);
        insert.execute((month, &host, first, &bytes, checksum))?;
    }
    Ok(())
}
