/*
 * Preloaded into a kernel that runs as a program. Before Linux 6.13 such a kernel saves the registers
 * of a process in a buffer that is too short for processors with very many of them (AMX), and the
 * machine's kernel restores the whole state or nothing. The part that does not fit the buffer is not
 * in use, so it is restored as zeros.
 */

#include <elf.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static char state[1 << 16];

static size_t length_of_whole_state(pid_t pid)
{
	static size_t length;
	struct iovec whole = { state, sizeof state };

	if (length == 0 && syscall(SYS_ptrace, PTRACE_GETREGSET, pid, NT_X86_XSTATE, &whole) == 0) {
		length = whole.iov_len;
		memset(state, 0, sizeof state);
	}
	return length;
}

static long set_state(pid_t pid, struct iovec *part)
{
	struct iovec whole = { state, length_of_whole_state(pid) };

	if (part->iov_len >= whole.iov_len)
		whole = *part;
	else
		memcpy(state, part->iov_base, part->iov_len);
	return syscall(SYS_ptrace, PTRACE_SETREGSET, pid, NT_X86_XSTATE, &whole);
}

/* The C library's way: the word is the result. */
static long peek(int request, pid_t pid, void *address)
{
	long word;

	if (syscall(SYS_ptrace, request, pid, address, &word) < 0)
		return -1;
	errno = 0;
	return word;
}

long ptrace(enum __ptrace_request request, ...)
{
	va_list arguments;

	va_start(arguments, request);
	pid_t pid = va_arg(arguments, pid_t);
	void *address = va_arg(arguments, void *);
	void *data = va_arg(arguments, void *);
	va_end(arguments);

	switch ((int)request) {
	case PTRACE_PEEKTEXT:
	case PTRACE_PEEKDATA:
	case PTRACE_PEEKUSER:
		return peek(request, pid, address);
	case PTRACE_SETREGSET:
		if (address == (void *)NT_X86_XSTATE)
			return set_state(pid, data);
	}
	return syscall(SYS_ptrace, request, pid, address, data);
}
