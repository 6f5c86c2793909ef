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

// places are the connections that may be open at once. One that finds no place is reset before a byte of it is read; one
// whose place goes to somebody else is reset too.
type places struct {
	host    string
	budget  *budget.Budget[netip.Prefix]
	isProxy func(netip.Addr) bool
	log     *slog.Logger

	mu     sync.Mutex
	resets int // since it was logged
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

// descriptors is how many connections the system lets this process have: each has a file descriptor, and may need a second
// one for a file that it sends or receives. The database and the lines to other servers need some as well.
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

// take finds a place for a connection, which may be somebody else's. A proxy speaks for many people, each of whom is bounded
// by their requests (middlewares.InFlight).
func (p *places) take(conn *net.TCPConn) (giveBack func(), err error) {
	peer, _ := conn.RemoteAddr().(*net.TCPAddr)
	if peer == nil { // it is gone already
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

// reset closes a connection and leaves nothing behind, as a close would for a minute (TIME_WAIT).
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

// note logs what was reset, once a minute at most: the log is a resource too.
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

// limited is a listener whose connections have a place each.
type limited struct {
	*net.TCPListener
	places *places
}

// Accept waits for a connection that finds a place.
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

// Close closes the connection.
func (c *connection) Close() error {
	c.giveBack()
	return c.TCPConn.Close()
}
