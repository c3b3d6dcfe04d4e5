//! Counters and rates, as the kernel samples them every two seconds.

/// The counters of a service or a server.
///
/// Fields may be added: start from the default, which has counted nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(default))]
pub struct Stats {
    /// Connections that were scheduled.
    pub connections: u64,
    /// Packets from clients.
    pub in_packets: u64,
    /// Packets to clients. Only those that pass through the director, as with masquerading.
    pub out_packets: u64,
    /// Bytes from clients.
    pub in_bytes: u64,
    /// Bytes to clients.
    pub out_bytes: u64,
    /// Connections per second. Rates are averages over about eight seconds.
    pub connection_rate: u64,
    /// Packets from clients per second.
    pub in_packet_rate: u64,
    /// Packets to clients per second.
    pub out_packet_rate: u64,
    /// Bytes from clients per second.
    pub in_byte_rate: u64,
    /// Bytes to clients per second.
    pub out_byte_rate: u64,
}

impl Stats {
    /// Whether the numbers of connections and packets are certain to fit in 32 bits. Each
    /// connection and each packet adds at least 20 bytes, the size of the shortest header.
    pub(crate) fn fit_32_bits(&self) -> bool {
        self.in_bytes.saturating_add(self.out_bytes) < 20 << 32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_bytes_cannot_be_many_packets() {
        let stats = |in_bytes, out_bytes| Stats {
            in_bytes,
            out_bytes,
            ..Stats::default()
        };
        let packets = 1 << 32;
        assert!(stats(20 * packets - 1, 0).fit_32_bits());
        assert!(!stats(20 * packets, 0).fit_32_bits());
        assert!(!stats(10 * packets, 10 * packets).fit_32_bits());
        assert!(!stats(u64::MAX, u64::MAX).fit_32_bits());
    }
}
