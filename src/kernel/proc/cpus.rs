//! The counters of each CPU over all services, in `/proc/net/ip_vs_stats_percpu`.

use super::totals::{hexadecimal, of_net, parsed};
use crate::kernel::netns::Home;
use crate::kernel::{self, Error};
use crate::model::rates::{Counted, Counters};

const CPUS: &str = "ip_vs_stats_percpu";

pub fn read(home: &Home) -> kernel::Result<Counted> {
    let counted = home.run(|| parsed(CPUS, of_net(home.proc(), CPUS), parse))?;
    counted.map_err(Error::File)
}

/// Two lines of titles, and for each CPU a line of its number and hexadecimal counters, which are
/// up to date. They are followed by the sums of the last sample.
fn parse(text: &str) -> Option<Counted> {
    let mut live = Counters::default();
    for line in text.lines().skip(2) {
        let (cpu, fields) = line.trim_start().split_once(' ')?;
        let numbers = hexadecimal(fields)?;
        if cpu == "~" {
            let sampled = numbers;
            return Some(Counted { live, sampled });
        }
        for (sum, number) in live.iter_mut().zip(numbers) {
            *sum = sum.wrapping_add(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_cpus_have_counted_is_added_up() {
        let text = "\
       Total Incoming Outgoing         Incoming         Outgoing
CPU    Conns  Packets  Packets            Bytes            Bytes
  0        F       19        1              7E2               3C
  A        1        0        0               20                0
  ~        D       17        1              700               3C

     Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s
           2        3        0               FC                7
";
        let counted = Counted {
            live: [16, 25, 1, 2050, 60],
            sampled: [13, 23, 1, 1792, 60],
        };
        assert_eq!(parse(text), Some(counted));
        // Counters wrap around to zero, as in the kernel.
        let many = text.replace("  0        F ", "  0 FFFFFFFFFFFFFFFF ");
        assert_eq!(parse(&many).map(|counted| counted.live[0]), Some(0));
        for cut in [0, 60, 140, 200, 260] {
            assert_eq!(parse(&text[..cut]), None, "{cut}");
        }
    }
}
