use super::*;

fn to(port: u16) -> Packet {
    Packet {
        protocol: Protocol::TCP,
        source: None,
        source_port: None,
        destination: Some([192, 0, 2, 1].into()),
        destination_port: Some(port),
        out_device: None,
        family: Family::V4,
        state: State::New,
    }
}

/// The rule that drops an incoming packet, or the chain whose policy does.
fn dropped(firewall: &Firewall, packet: &Packet) -> Option<String> {
    let culprit = firewall.culprit(&[Hook::Prerouting, Hook::Input], packet)?;
    Some(match culprit.rule {
        Some((_, rule)) => rule.text.clone(),
        None => culprit.chain.name.clone(),
    })
}

fn iptables(rules: &str) -> Firewall {
    let text = format!("*filter\n:INPUT DROP [0:0]\n:ours - [0:0]\n{rules}COMMIT\n");
    read_iptables(Tool::Iptables, &text)
}

#[test]
fn policies_and_rules_drop() {
    let policy = Some("INPUT".to_owned());
    assert_eq!(dropped(&iptables(""), &to(80)), policy);
    for (rule, is_let_through) in [
        ("-A INPUT -p tcp -m tcp --dport 80 -j ACCEPT", true),
        ("-A INPUT -p tcp -m tcp --dport 81 -j ACCEPT", false),
        ("-A INPUT -p udp -m udp --dport 80 -j ACCEPT", false),
        ("-A INPUT -d 192.0.2.0/24 -j ACCEPT", true),
        ("-A INPUT ! -d 192.0.2.0/24 -j ACCEPT", false),
        (
            "-A INPUT -p tcp -m multiport --dports 22,80:90 -j ACCEPT",
            true,
        ),
        ("-A INPUT -i lo -j ACCEPT", false),
        // These rules may fit.
        ("-A INPUT -i eth0 -j ACCEPT", true),
        ("-A INPUT -s 10.0.0.0/8 -j ACCEPT", true),
        ("-A INPUT -m set --match-set friends src -j ACCEPT", true),
        (
            "-A INPUT -m conntrack --ctstate RELATED,ESTABLISHED -j ACCEPT",
            false,
        ),
        ("-A INPUT -m conntrack --ctstate NEW -j ACCEPT", true),
        ("-A INPUT -m comment --comment \"all that\" -j ACCEPT", true),
        ("-A INPUT -j ours\n-A ours -p tcp -j ACCEPT", true),
        ("-A INPUT -j ours\n-A ours -p tcp -j RETURN", false),
        // An option may have no value.
        ("-A INPUT -m ipvs --ipvs -j ACCEPT", true),
        (
            "-A INPUT -m recent --rcheck --name x ! --rsource -j ACCEPT",
            true,
        ),
        // After `goto`, a packet does not return from the end of the other chain.
        ("-A INPUT -g ours\n-A INPUT -j ACCEPT", false),
        ("-A INPUT -j ours\n-A INPUT -j ACCEPT", true),
    ] {
        let found = dropped(&iptables(&format!("{rule}\n")), &to(80));
        assert_eq!(found.is_none(), is_let_through, "{rule}");
    }
    let rule = "-A ours -d 192.0.2.1/32 -j DROP";
    let rules = format!("-A INPUT -p tcp -j ours\n{rule}\n");
    assert_eq!(dropped(&iptables(&rules), &to(80)).as_deref(), Some(rule));
}

#[test]
fn a_chain_may_call_itself() {
    let rules = "-A INPUT -j ours\n-A ours -j ours\n";
    assert_eq!(dropped(&iptables(rules), &to(80)), None);
}

#[test]
fn marks_are_read() {
    let rules = "\
-A INPUT -p tcp -m tcp --dport 80 -j MARK --set-xmark 0x7/0xffffffff
-A INPUT -j MARK --set-xmark 0x4000/0x4000
-A INPUT -j ACCEPT
";
    let firewall = iptables(rules);
    let marks = firewall
        .rules()
        .filter(|(_, rule)| rule.verdict == Verdict::Mark(7));
    assert_eq!(marks.count(), 1);
    assert!(firewall.has_other_marks);
    assert_eq!(dropped(&firewall, &to(80)), None);
}

/// As nft 1.0.6 prints them.
fn nft(rules: &str) -> Firewall {
    let text = format!(
        r#"{{"nftables": [{{"metainfo": {{"version": "1.0.6"}}}},
        {{"table": {{"family": "inet", "name": "filter", "handle": 1}}}},
        {{"set": {{"family": "inet", "name": "vips", "table": "filter", "type": "ipv4_addr",
            "handle": 2, "elem": ["192.0.2.1", "192.0.2.2"]}}}},
        {{"chain": {{"family": "inet", "table": "filter", "name": "input", "handle": 1,
            "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}}}}{rules}]}}"#
    );
    read_nft(&text).unwrap()
}

fn rule(expressions: &str) -> String {
    format!(
        r#", {{"rule": {{"family": "inet", "table": "filter", "chain": "input", "handle": 9,
        "expr": [{expressions}]}}}}"#
    )
}

fn matching(left: &str, right: &str) -> String {
    format!(r#"{{"match": {{"op": "==", "left": {left}, "right": {right}}}}}"#)
}

#[test]
fn nft_drops() {
    let port = r#"{"payload": {"protocol": "tcp", "field": "dport"}}"#;
    let address = r#"{"payload": {"protocol": "ip", "field": "daddr"}}"#;
    let state = r#"{"ct": {"key": "state"}}"#;
    let device = r#"{"meta": {"key": "iifname"}}"#;
    assert_eq!(dropped(&nft(""), &to(80)).as_deref(), Some("input"));
    for (left, right, is_let_through) in [
        (port, "80", true),
        (port, "22", false),
        (port, r#"{"set": [22, {"range": [80, 90]}]}"#, true),
        (address, r#""@vips""#, true),
        (
            address,
            r#"{"prefix": {"addr": "192.0.2.0", "len": 24}}"#,
            true,
        ),
        (address, r#""192.0.2.3""#, false),
        (state, r#"["established", "related"]"#, false),
        (state, r#""new""#, true),
        (device, r#""lo""#, false),
        (device, r#""eth0""#, true),
        (r#"{"meta": {"key": "cgroup"}}"#, "7", true),
    ] {
        let accept = format!(r#"{}, {{"accept": null}}"#, matching(left, right));
        let found = dropped(&nft(&rule(&accept)), &to(80));
        assert_eq!(found.is_none(), is_let_through, "{left} {right}");
    }
    let drop = format!(r#"{}, {{"drop": null}}"#, matching(address, r#""@vips""#));
    assert_eq!(
        dropped(&nft(&rule(&drop)), &to(80)).as_deref(),
        Some("handle 9")
    );
}

#[test]
fn nft_sends_packets_to_other_chains() {
    let other =
        r#", {"chain": {"family": "inet", "table": "filter", "name": "other", "handle": 3}}"#;
    let accept = rule(r#"{"accept": null}"#);
    for (verdict, is_let_through) in [("jump", true), ("goto", false)] {
        let sent = rule(&format!(r#"{{"{verdict}": {{"target": "other"}}}}"#));
        let found = dropped(&nft(&[other, &sent, &accept].concat()), &to(80));
        assert_eq!(found.is_none(), is_let_through, "{verdict}");
    }
}

#[test]
fn nft_marks_and_accepts_in_one_rule() {
    let mark = r#"{"mangle": {"key": {"meta": {"key": "mark"}}, "value": 7}}"#;
    let firewall = nft(&rule(&format!(r#"{mark}, {{"accept": null}}"#)));
    let mut rules = firewall.rules();
    assert!(rules.any(|(_, rule)| rule.verdict == Verdict::Mark(7)));
    assert_eq!(dropped(&firewall, &to(80)), None);
}

#[test]
fn verdict_maps_are_read() {
    let map = |state: &str| {
        rule(&format!(
            r#"{{"vmap": {{"key": {{"ct": {{"key": "state"}}}}, "data": {{"set": [
            ["established", {{"accept": null}}], ["{state}", {{"drop": null}}]]}}}}}}"#
        ))
    };
    let mut packet = to(80);
    let policy = Some("input".to_owned());
    assert_eq!(dropped(&nft(&map("invalid")), &packet), policy);
    packet.state = State::Established;
    assert_eq!(dropped(&nft(&map("invalid")), &packet), None);
    packet.state = State::Invalid;
    let found = dropped(&nft(&map("invalid")), &packet);
    assert_eq!(found.as_deref(), Some("handle 9"));
}

#[test]
fn accepted_packets_are_not_dropped() {
    let mut packet = to(80);
    let firewall = iptables("");
    let culprit = firewall.culprit(&[Hook::Input], &packet).unwrap();
    let expected = "iptables -t filter -I INPUT -d 192.0.2.1 -p tcp --dport 80 -j ACCEPT";
    assert_eq!(culprit.chain.let_through(&packet), expected);
    let firewall = nft("");
    packet.destination_port = Some(0);
    let culprit = firewall.culprit(&[Hook::Input], &packet).unwrap();
    let expected = "nft insert rule inet filter input ip daddr 192.0.2.1 accept";
    assert_eq!(culprit.chain.let_through(&packet), expected);
}
