package store_test

import (
	"context"
	"encoding/binary"
	"io"
	"log/slog"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"

	"tokentube/models/store"
)

// mongoServer speaks MongoDB's wire protocol and replies as a test says.
type mongoServer struct {
	t         *testing.T
	listener  net.Listener
	is        bson.D // its reply to hello
	reply     func(command string, n int) bson.D
	over      chan struct{} // closed by leave
	leaveOnce sync.Once
	conns     sync.WaitGroup

	mu       sync.Mutex
	commands []bson.Raw // without those that every driver sends by itself
}

var (
	mongoReplicaSet = bson.D{{Key: "setName", Value: "rs0"}, {Key: "setVersion", Value: 1}}
	mongoRouter     = bson.D{{Key: "msg", Value: "isdbgrid"}}
	mongoStandalone = bson.D{}
)

// Special replies: the server hangs up, or never replies.
var (
	mongoOK      = bson.D{{Key: "ok", Value: 1}, {Key: "n", Value: 1}, {Key: "nModified", Value: 1}}
	mongoHangUp  = bson.D{{Key: "hangUp", Value: true}}
	mongoSilence = bson.D{{Key: "silence", Value: true}}
)

func mongoFailure(code int, labels ...string) bson.D {
	return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: code}, {Key: "errmsg", Value: "as the test says"}, {Key: "errorLabels", Value: labels}}
}

// newMongoServer starts a server. reply returns its reply to the nth command of a name, starting with 1; nil: mongoOK.
func newMongoServer(t *testing.T, is bson.D, reply func(command string, n int) bson.D) *mongoServer {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	mongoCheck(t, err)
	s := &mongoServer{t: t, listener: l, is: is, reply: reply, over: make(chan struct{})}
	s.conns.Go(s.accept)
	t.Cleanup(s.leave)
	return s
}

// leave stops the server.
func (s *mongoServer) leave() {
	s.leaveOnce.Do(func() { close(s.over) })
	_ = s.listener.Close()
	s.conns.Wait()
}

func (s *mongoServer) accept() {
	for {
		conn, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.conns.Go(func() {
			<-s.over
			_ = conn.Close()
		})
		s.conns.Go(func() { s.serve(conn) })
	}
}

// The operations of the wire protocol: a driver's first request is an opQuery.
const (
	opReply = 1
	opQuery = 2004
	opMsg   = 2013
)

func (s *mongoServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		head := make([]byte, 16) // length, id, id of the request, operation
		if _, err := io.ReadFull(conn, head); err != nil {
			return
		}
		body := make([]byte, binary.LittleEndian.Uint32(head)-16)
		if _, err := io.ReadFull(conn, body); err != nil {
			return
		}
		operation := binary.LittleEndian.Uint32(head[12:])
		answer := s.answer(mongoCommand(operation, body))
		if answer == nil {
			return
		}
		if _, err := conn.Write(mongoMessage(operation, head[4:8], answer)); err != nil {
			return
		}
	}
}

// mongoCommand finds the command in a message.
func mongoCommand(operation uint32, body []byte) bson.Raw {
	if operation == opQuery {
		name := slices.Index(body[4:], 0)       // after the flags; the collection's name ends with a zero
		return mongoDocument(body[4+name+1+8:]) // after the numbers to skip and to return
	}
	return mongoDocument(body[5:]) // after the flags and the kind of the first section
}

func mongoDocument(b []byte) bson.Raw { return bson.Raw(b[:binary.LittleEndian.Uint32(b)]) }

func mongoMessage(operation uint32, id, doc []byte) []byte {
	m := append(make([]byte, 8), id...)
	if operation == opQuery {
		m = binary.LittleEndian.AppendUint32(m, opReply)
		m = append(m, make([]byte, 16)...) // flags, cursor, start
		m = binary.LittleEndian.AppendUint32(m, 1)
	} else {
		m = binary.LittleEndian.AppendUint32(m, opMsg)
		m = append(m, make([]byte, 5)...)
	}
	m = append(m, doc...)
	binary.LittleEndian.PutUint32(m, uint32(len(m)))
	return m
}

// answer returns the reply to a command, or nil to hang up.
func (s *mongoServer) answer(command bson.Raw) bson.Raw {
	elements, err := command.Elements()
	if err != nil {
		s.t.Error(err)
		return nil
	}
	name := elements[0].Key()
	_, handshake := command.Lookup("helloOk").BooleanOK()
	reply := mongoOK
	switch {
	case handshake || (slices.Contains([]string{"hello", "isMaster", "ismaster"}, name) && command.Lookup("lsid").IsZero()):
		reply = s.hello()
	case name == "endSessions":
	default:
		reply = s.scripted(name, command)
	}
	switch reply[0].Key {
	case "hangUp":
		return nil
	case "silence":
		<-s.over
		return nil
	}
	raw, err := bson.Marshal(reply)
	if err != nil {
		s.t.Error(err)
	}
	return raw
}

func (s *mongoServer) hello() bson.D {
	address := s.listener.Addr().String()
	hello := bson.D{
		{Key: "ok", Value: 1}, {Key: "isWritablePrimary", Value: true}, {Key: "helloOk", Value: true},
		{Key: "minWireVersion", Value: 0}, {Key: "maxWireVersion", Value: 21}, {Key: "logicalSessionTimeoutMinutes", Value: 30},
		{Key: "maxBsonObjectSize", Value: 16 << 20}, {Key: "maxMessageSizeBytes", Value: 48_000_000}, {Key: "maxWriteBatchSize", Value: 100_000},
	}
	if len(s.is) > 0 && s.is[0].Key == "setName" {
		hello = append(hello, bson.E{Key: "hosts", Value: bson.A{address}}, bson.E{Key: "me", Value: address})
	}
	return append(hello, s.is...)
}

func (s *mongoServer) scripted(name string, command bson.Raw) bson.D {
	s.mu.Lock()
	s.commands = append(s.commands, slices.Clone(command))
	s.mu.Unlock()
	reply := s.reply(name, len(s.sent(name)))
	if reply != nil {
		return reply
	}
	if name == "hello" || name == "isMaster" {
		return s.hello()
	}
	return mongoOK
}

// sent lists the commands of a name, or all.
func (s *mongoServer) sent(name string) (found []bson.Raw) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.commands {
		if name == "" || mongoName(c) == name {
			found = append(found, c)
		}
	}
	return found
}

// forget clears the list of commands, and with it the counters of reply.
func (s *mongoServer) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commands = nil
}

// names lists the names of the commands in order.
func (s *mongoServer) names() string {
	var names []string
	for _, c := range s.sent("") {
		names = append(names, mongoName(c))
	}
	return strings.Join(names, " ")
}

func mongoName(command bson.Raw) string {
	first, err := command.IndexErr(0)
	if err != nil {
		return ""
	}
	return first.Key()
}

// The documents of these tests.
type (
	mongoParent struct {
		ID       bson.ObjectID `bson:"_id"`
		Children int64         `bson:"children"`
	}
	mongoChild struct {
		ID     bson.ObjectID `bson:"_id"`
		Parent bson.ObjectID `bson:"parent"`
	}
)

// mongoData is a database whose server a test scripts.
type mongoData struct {
	*store.DB
	server   *mongoServer
	children *store.Documents[mongoChild]
	log      *strings.Builder
}

// openMongoData opens the database of a server, with parameters for the URI, and clears the list of commands.
func openMongoData(t *testing.T, server *mongoServer, parameters ...string) mongoData {
	t.Helper()
	d := mongoData{server: server, log: new(strings.Builder)}
	db, err := store.Open(t.Context(), store.Settings{
		MongoURI: "mongodb://" + server.listener.Addr().String() + "/?" +
			strings.Join(append(parameters, "directConnection=true", "serverSelectionTimeoutMS=1000"), "&"),
		MongoDatabase: "test", Now: time.Now, Log: slog.New(slog.NewTextHandler(d.log, nil)),
	})
	mongoCheck(t, err)
	d.DB = db
	t.Cleanup(func() { mongoCheck(t, db.Close(context.Background())) })
	store.Register[mongoParent](db, store.Kind{Name: "parents"})
	d.children = store.Register[mongoChild](db, store.Kind{Name: "children", Parents: []store.Parent{{Kind: "parents", Field: "parent", Counter: "children"}}})
	server.forget()
	return d
}

func newMongoChild() *mongoChild {
	return &mongoChild{ID: bson.NewObjectID(), Parent: bson.NewObjectID()}
}

func mongoCheck(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
