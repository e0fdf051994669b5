//! A month's directory of hosts, as blocks.

use std::net::IpAddr;
use std::ops::Range;

use ipnet::IpNet;
use rusqlite::{Connection, Transaction};

use crate::history::month::{Block, Directory};
use crate::store::StoreError;

use super::super::codec;
use super::Month;

/// The hosts of a month, or those of a prefix and their neighbours, and which numbers are wanted.
pub(in super::super) struct Numbers {
    /// The number of the directory's first host.
    first: u64,
    directory: Directory,
    /// The numbers of the hosts that are wanted.
    pub(in super::super) wanted: Range<u64>,
}

impl Numbers {
    /// The hosts of a month, or of a prefix only.
    pub(in super::super) fn of(
        connection: &Connection,
        month: &Month,
        sources: Option<&IpNet>,
    ) -> Result<Numbers, StoreError> {
        // The block before the prefix's first host may hold that host.
        let sql = "SELECT first, hosts FROM host WHERE month = ?1 AND host <= ?3 AND host >= coalesce(
                       (SELECT max(host) FROM host WHERE month = ?1 AND host <= ?2), x'') ORDER BY host";
        let (low, high) = match sources {
            Some(net) => (key(net.network()), key(net.broadcast())),
            None => (Vec::new(), vec![u8::MAX]),
        };
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query((month.id, low, high))?;
        let (mut first, mut directory) = (None, Directory::default());
        while let Some(row) = rows.next()? {
            first.get_or_insert(codec::uncount(row.get(0)?));
            directory.add_block(row.get_ref(1)?.as_blob()?)?;
        }
        let first = first.unwrap_or(0);
        let range = sources.map_or(0..directory.len(), |net| directory.range(net));
        Ok(Numbers { first, directory, wanted: first + range.start..first + range.end })
    }

    /// The host of a number that is wanted.
    pub(super) fn host(&self, number: u64) -> Result<IpAddr, StoreError> {
        let host = number.checked_sub(self.first).and_then(|number| self.directory.host(number));
        host.ok_or_else(|| StoreError::Damaged(format!("no host {number}")))
    }

    /// All hosts.
    pub(in super::super) fn hosts(&self) -> impl Iterator<Item = IpAddr> + '_ {
        (0..self.directory.len()).filter_map(|number| self.directory.host(number))
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
