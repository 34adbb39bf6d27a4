// epoll, eventfd and accept4, which the Glibc module does not cover. The macros and enumerations are given as constants, since
// their Swift types differ from those that the calls take.
#ifndef PUSHRING_CEPOLL_H
#define PUSHRING_CEPOLL_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

static const uint32_t epoll_readable = EPOLLIN | EPOLLRDHUP;
static const uint32_t epoll_writable = EPOLLOUT;
static const uint32_t epoll_broken = EPOLLERR | EPOLLHUP;
static const int epoll_close_on_exec = EPOLL_CLOEXEC;
static const int epoll_add = EPOLL_CTL_ADD;
static const int epoll_modify = EPOLL_CTL_MOD;
static const int epoll_delete = EPOLL_CTL_DEL;
static const int eventfd_flags = EFD_NONBLOCK | EFD_CLOEXEC;

// Declared here because whether <sys/socket.h> shows it depends on what was included before.
extern int accept4(int, struct sockaddr *, socklen_t *, int);

// The next connection, non-blocking; -1 with errno when there is none.
static inline int pushring_accept(int listener, struct sockaddr_storage *address) {
  socklen_t size = sizeof *address;
  return accept4(listener, (struct sockaddr *)address, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

#endif
