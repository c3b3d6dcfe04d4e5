//! The C libraries that our code is compared with.

#![allow(unsafe_code)]

use std::ffi::{CStr, CString, c_char, c_int, c_uint, c_void};
use std::mem;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::ptr;

use anyhow::{Context, Result, ensure};
use ipvsadm::cli::{Spec, Value, specs};

use crate::lab::fetch;

unsafe extern "C" {
    fn inet_aton(text: *const c_char, address: *mut libc::in_addr) -> c_int;
    fn inet_pton(family: c_int, text: *const c_char, address: *mut c_void) -> c_int;
}

pub fn ipv4(text: &CStr) -> Option<Ipv4Addr> {
    let mut address = libc::in_addr { s_addr: 0 };
    // SAFETY: a C string, and room for the address.
    let read = unsafe { inet_aton(text.as_ptr(), &mut address) };
    (read != 0).then(|| Ipv4Addr::from(address.s_addr.to_ne_bytes()))
}

pub fn ipv6(text: &CStr) -> Option<Ipv6Addr> {
    let mut address = [0u8; 16];
    // SAFETY: a C string, and room for an IPv6 address.
    let read = unsafe { inet_pton(libc::AF_INET6, text.as_ptr(), address.as_mut_ptr().cast()) };
    (read == 1).then(|| Ipv6Addr::from(address))
}

/// The number in the text, or the nearest possible one.
pub fn number(text: &CStr) -> Option<i64> {
    let mut end = ptr::null_mut();
    // SAFETY: a C string, into which `end` will point.
    let (number, rest) = unsafe {
        let number = libc::strtol(text.as_ptr(), &mut end, 10);
        (number, *end)
    };
    (rest == 0 && end.cast_const() != text.as_ptr()).then_some(number)
}

/// An option in popt's form.
#[repr(C)]
struct PoptOption {
    long_name: *const c_char,
    short_name: c_char,
    kind: c_uint,
    place: *mut c_void,
    value: c_int,
    help: *const c_char,
    value_help: *const c_char,
}

const NO_VALUE: c_uint = 0;
const STRING: c_uint = 1;
const OPTIONAL: c_uint = 0x1000_0000;

/// For the word of an error: as given, not as expanded by an alias.
const AS_GIVEN: c_uint = 1;

/// The types of the functions, from the library's documentation.
type Open = unsafe extern "C" fn(
    *const c_char,
    c_int,
    *const *const c_char,
    *const PoptOption,
    c_uint,
) -> *mut c_void;
type Of<T> = unsafe extern "C" fn(*mut c_void) -> T;
type WordOf = unsafe extern "C" fn(*mut c_void, c_uint) -> *const c_char;

/// The functions of libpopt, and our options in its form.
pub struct Popt {
    open: Open,
    next: Of<c_int>,
    value: Of<*mut c_char>,
    word: WordOf,
    left_over: Of<*const c_char>,
    close: Of<*mut c_void>,
    options: Vec<PoptOption>,
    /// What the options point to.
    _names: Vec<CString>,
}

/// The terminator after the last option.
const END: c_int = -1;

/// The next words, as popt reads them.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// The option with this index among the specs, and its value.
    Option(usize, Option<&'a [u8]>),
    Error(c_int),
    /// The rest is left over.
    End,
    LeftOver,
}

impl Popt {
    /// From Debian's package, which is fetched if it is missing.
    pub fn load() -> Result<Self> {
        let path = fetch::tools()?.join(fetch::LIBRARIES).join("libpopt.so.0");
        let name = CString::new(path.to_str().context("an odd path")?)?;
        // SAFETY: a C string; what the library does when it is loaded is what it always does.
        let library = unsafe { libc::dlopen(name.as_ptr(), libc::RTLD_NOW) };
        ensure!(!library.is_null(), "{} cannot be loaded", path.display());
        let symbol = |name: &CStr| {
            // SAFETY: the library stays loaded, and the name is a C string.
            let symbol = unsafe { libc::dlsym(library, name.as_ptr()) };
            ensure!(!symbol.is_null(), "libpopt has no {name:?}");
            Ok(symbol)
        };
        let mut names = Vec::new();
        let mut options = Vec::new();
        for (number, row) in specs().enumerate() {
            let long = CString::new(row.long())?;
            let mut letters = short(row).into_iter();
            options.push(option(row, number, long.as_ptr(), letters.next()));
            let others = letters.map(|letter| option(row, number, ptr::null(), Some(letter)));
            options.extend(others);
            names.push(long);
        }
        options.push(PoptOption {
            long_name: ptr::null(),
            short_name: 0,
            kind: 0,
            place: ptr::null_mut(),
            value: 0,
            help: ptr::null(),
            value_help: ptr::null(),
        });
        // SAFETY: these are the types that the library's documentation gives its functions.
        unsafe {
            Ok(Self {
                open: mem::transmute::<*mut c_void, Open>(symbol(c"poptGetContext")?),
                next: mem::transmute::<*mut c_void, Of<c_int>>(symbol(c"poptGetNextOpt")?),
                value: mem::transmute::<*mut c_void, Of<*mut c_char>>(symbol(c"poptGetOptArg")?),
                word: mem::transmute::<*mut c_void, WordOf>(symbol(c"poptBadOption")?),
                left_over: mem::transmute::<*mut c_void, Of<*const c_char>>(symbol(c"poptGetArg")?),
                close: mem::transmute::<*mut c_void, Of<*mut c_void>>(symbol(c"poptFreeContext")?),
                options,
                _names: names,
            })
        }
    }

    /// Reads the words of a line, each terminated by a NUL, and the list by a null pointer.
    pub fn read(&self, words: &[*const c_char], mut hear: impl FnMut(Step, &[u8])) {
        let count = words.len() as c_int - 1;
        // SAFETY: the words and the options outlive the context.
        let context = unsafe {
            (self.open)(
                c"ipvsadm".as_ptr(),
                count,
                words.as_ptr(),
                self.options.as_ptr(),
                0,
            )
        };
        loop {
            // SAFETY: the context is open, and its word lives as long.
            let (number, word) = unsafe {
                let number = (self.next)(context);
                (number, text((self.word)(context, AS_GIVEN)))
            };
            let word = word.unwrap_or_default();
            let Ok(option) = usize::try_from(number) else {
                if number != END {
                    hear(Step::Error(number), word);
                }
                break;
            };
            let row = option - 1;
            // SAFETY: the value is ours to free, once it was heard.
            unsafe {
                let value = (self.value)(context);
                hear(Step::Option(row, text(value)), word);
                libc::free(value.cast());
            }
        }
        hear(Step::End, b"");
        // SAFETY: the context is open, and its words live as long.
        while let Some(word) = unsafe { text((self.left_over)(context)) } {
            hear(Step::LeftOver, word);
        }
        // SAFETY: it is not used again.
        unsafe { (self.close)(context) };
    }
}

/// # Safety
/// It is null or points to a C string that lives as long as stated.
unsafe fn text<'a>(text: *const c_char) -> Option<&'a [u8]> {
    if text.is_null() {
        return None;
    }
    // SAFETY: as the caller promises.
    Some(unsafe { CStr::from_ptr(text) }.to_bytes())
}

fn short(row: Spec) -> Vec<u8> {
    match row {
        Spec::Command(row) => row.short.to_vec(),
        Spec::Option(row) => row.short.into_iter().collect(),
    }
}

fn option(row: Spec, number: usize, long_name: *const c_char, letter: Option<u8>) -> PoptOption {
    PoptOption {
        long_name,
        short_name: letter.unwrap_or(0) as c_char,
        kind: match row.value() {
            Value::Nothing => NO_VALUE,
            Value::Required(_) => STRING,
            Value::Optional(_) => STRING | OPTIONAL,
        },
        place: ptr::null_mut(),
        value: number as c_int + 1,
        help: ptr::null(),
        value_help: ptr::null(),
    }
}

#[cfg(fuzz_coverage)]
pub fn counters() -> &'static [u64] {
    unsafe extern "C" {
        fn __llvm_profile_begin_counters() -> *const u64;
        fn __llvm_profile_end_counters() -> *const u64;
    }
    // SAFETY: the compiler's runtime keeps the counters between these two, in memory that stays.
    unsafe {
        let (begin, end) = (
            __llvm_profile_begin_counters(),
            __llvm_profile_end_counters(),
        );
        std::slice::from_raw_parts(begin, end.offset_from(begin) as usize)
    }
}
