//! Wrong lines, and the advice that people get after the error message.

use std::fmt::Write;

use ipvsadm::cli;
use ipvsadm::cli::advice::advice;
use ipvsadm::error::Action;
use ipvsadm::error::Error;
use ipvsadm::names::Names;

const LINES: &str = "\
-n -L
--aply web.rules
--drain 10.0.0.1
--drain 2001:db8::1
-L --stat
-L --numreic
--flush
-L --foo
-A --shceduler=rr
-Lq
-A -t
-A --scheduler
-A -L
-A -t 10.0.0.1:80 wrr
-A -t 10.0.0.1:80 round
-A -t 10.0.0.1:x
-a -t 10.0.0.1:80 -r x:80
-A -6 -t 10.0.0.1:80
--set 1 2
-a -t 10.0.0.1:80 -r 10.0.0.2 -i --tun-type ip
-a -t 10.0.0.1:80 -r 10.0.0.2 --tun-type gue
-a -t 10.0.0.1:80 -r [::1]:80
--start-daemon both
-L --format yaml
-A
-a -t 10.0.0.1:80
-e -r 10.0.0.1
-A -t 10.0.0.1:80 -w 5
-a -t 10.0.0.1:80 -r 10.0.0.2 --mcast-ttl 5
-A -t 10.0.0.1
-A -t 10.0.0.1:80 -o
-a -t 10.0.0.1:80 -r 10.0.0.2 -w x
";

#[test]
fn advice_about_lines() {
    let mut answers = String::new();
    for line in LINES.lines() {
        let words = line.split(' ').map(str::as_bytes);
        let error = cli::read(b"ipvsadm", words, &Names::numeric()).unwrap_err();
        add(&mut answers, line, &error);
    }
    insta::assert_snapshot!(answers);
}

#[test]
fn advice_about_kernel_errors() {
    let errors = [libc::EPERM, libc::ENOPROTOOPT].map(|errno| Error::NoIpvs { errno });
    let actions = [
        Action::AddService,
        Action::EditService,
        Action::DeleteService,
        Action::AddServer,
        Action::EditServer,
        Action::DeleteServer,
        Action::Read,
        Action::Zero,
        Action::StopDaemon,
    ];
    let errnos = [libc::EEXIST, libc::ENOENT, libc::ESRCH];
    let refused = actions.into_iter().flat_map(|action| {
        let errors = errnos.into_iter();
        errors.map(move |errno| Error::Refused { action, errno })
    });
    let mut answers = String::new();
    for error in errors.into_iter().chain(refused) {
        add(&mut answers, &format!("{error:?}"), &error);
    }
    insta::assert_snapshot!(answers);
}

fn add(answers: &mut String, what: &str, error: &Error) {
    let advice = advice(error).unwrap_or("-".into());
    writeln!(answers, "{what}\n    {error}\n    {advice}").unwrap();
}
