package httpserver

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"time"

	"tokentube/utils/budget"
	"tokentube/utils/logs"
)

// places are the connections that may be open at once. A connection that gets no place is reset before any of it is
// read; one that loses its place is reset too.
type places struct {
	host    string
	budget  *budget.Budget[netip.Prefix]
	isProxy func(netip.Addr) bool
	log     *slog.Logger

	mu     sync.Mutex
	resets int // since the last log line
	logged time.Time
}

func newPlaces(s Settings) *places {
	most := s.Connections
	if fit := descriptors(); fit < most {
		s.Log.Info("fewer connections are taken than MAX_CONNECTIONS says: the system allows this process too few open files", "connections", fit)
		most = fit
	}
	return &places{host: s.Host, budget: budget.New[netip.Prefix](s.PerAddress, most), isProxy: s.IsProxy, log: s.Log}
}

// descriptors is how many connections the system allows this process: each needs a file descriptor, and may need a
// second one for a file that it sends or receives. The database and outgoing connections need some as well.
func descriptors() int {
	const others = 64
	return max(1, (openFiles()-others)/2)
}

func (p *places) listen(port int, variable string) (net.Listener, error) {
	listener, err := net.Listen("tcp", net.JoinHostPort(p.host, strconv.Itoa(port)))
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("port %d is in use: stop the other program or set %s", port, variable)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen: %w", err)
	}
	return &limited{listener.(*net.TCPListener), p}, nil
}

// take finds a place for a connection, possibly by ending another one. A proxy acts for many clients, whose requests
// are bounded instead (middlewares.InFlight).
func (p *places) take(conn *net.TCPConn) (giveBack func(), err error) {
	peer, _ := conn.RemoteAddr().(*net.TCPAddr)
	if peer == nil { // already closed
		return nil, net.ErrClosed
	}
	ip := peer.AddrPort().Addr().Unmap()
	if p.isProxy != nil && p.isProxy(ip) {
		giveBack, err = p.budget.TakeForAll()
	} else {
		giveBack, err = p.budget.Take(budget.Address(ip), func() { reset(conn); p.note(ip, budget.ErrFull) })
	}
	if err != nil {
		p.note(ip, err)
	}
	return giveBack, err
}

// reset closes a connection without leaving it in TIME_WAIT, as an ordinary close would for a minute.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// note logs the resets, at most once a minute: the log is a limited resource too.
func (p *places) note(ip netip.Addr, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.resets++
	if time.Since(p.logged) < time.Minute {
		return
	}
	p.log.Warn("connections were reset: there are too many", "connections", p.resets, "last", logs.IP(ip.String()), "error", why)
	p.resets, p.logged = 0, time.Now()
}

// limited is a listener whose connections each hold a place.
type limited struct {
	*net.TCPListener
	places *places
}

// Accept waits for a connection that gets a place.
func (l *limited) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptTCP()
		if err != nil {
			return nil, err
		}
		giveBack, err := l.places.take(conn)
		if err == nil {
			return &connection{conn, giveBack}, nil
		}
		reset(conn)
	}
}

// connection gives its place back when it is closed.
type connection struct {
	*net.TCPConn
	giveBack func()
}

// Close closes the connection and gives its place back.
func (c *connection) Close() error {
	c.giveBack()
	return c.TCPConn.Close()
}
