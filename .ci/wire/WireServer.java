import de.bwaldvogel.mongo.MongoServer;
import de.bwaldvogel.mongo.MongoVersion;
import de.bwaldvogel.mongo.backend.CollectionOptions;
import de.bwaldvogel.mongo.backend.memory.*;
import de.bwaldvogel.mongo.bson.Document;
import de.bwaldvogel.mongo.wire.*;
import de.bwaldvogel.mongo.wire.message.MongoMessage;
import io.netty.bootstrap.ServerBootstrap;
import io.netty.channel.*;
import io.netty.channel.group.DefaultChannelGroup;
import io.netty.channel.nio.NioIoHandler;
import io.netty.channel.socket.nio.NioServerSocketChannel;
import io.netty.util.concurrent.DefaultEventExecutor;
import io.netty.util.concurrent.GlobalEventExecutor;
import java.util.*;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Starts the in-memory server on 127.0.0.1 with the oldest wire version that the Go driver accepts. "PORT" starts
 * a standalone server, without transactions; "PORT rs" a replica set of one node, with transactions. With
 * "PORT rs 0.02", 2% of all retryable writes, statements in transactions and commits also fail, in ways that the driver
 * must handle.
 */
public class WireServer {
    public static void main(String[] args) {
        int port = Integer.parseInt(args[0]);
        MongoVersion version = new MongoVersion() {
            public List<Integer> getVersionArray() { return List.of(4, 4, 0); }
            public int getWireVersion() { return 9; }
        };
        if (args.length == 1) {
            new MongoServer(new MemoryBackend().version(version)).bind("127.0.0.1", port);
            return;
        }
        if (!args[1].equals("rs") || args.length > 3) {
            throw new IllegalArgumentException("usage: WireServer PORT [rs [FAULTS]]");
        }
        ReplicaSet backend = new ReplicaSet("127.0.0.1:" + port, args.length == 3 ? Double.parseDouble(args[2]) : 0);
        backend.version(version);
        serve(backend, port);
    }

    /**
     * Like MongoServer.bind, but with one thread per connection: a statement that waits for a transaction to end
     * must not block the connection that ends it.
     */
    static void serve(ReplicaSet backend, int port) {
        var connections = new DefaultChannelGroup(GlobalEventExecutor.INSTANCE);
        var setUp = new ChannelInitializer<Channel>() {
            @Override
            @SuppressWarnings("deprecation") // addLast with an executor
            protected void initChannel(Channel channel) {
                var thread = new DefaultEventExecutor();
                channel.closeFuture().addListener(closed -> thread.shutdownGracefully());
                channel.pipeline()
                    .addLast(new MongoWireReplyEncoder(), new MongoWireMessageEncoder(), new MongoWireProtocolHandler())
                    .addLast(thread, new MongoDatabaseHandler(backend, connections), new MongoExceptionHandler());
            }
        };
        new ServerBootstrap().group(new MultiThreadIoEventLoopGroup(NioIoHandler.newFactory()))
            .channel(NioServerSocketChannel.class).childHandler(setUp).bind("127.0.0.1", port).syncUninterruptibly();
    }
}

/**
 * The in-memory backend with transactions. In each database, only one is open at a time, and all other statements wait
 * until it ends. Its writes take effect immediately; each records in the journal how to undo it.
 */
class ReplicaSet extends MemoryBackend {
    private static final long SILENCE = 5_000_000_000L; // ns without a statement until a transaction is rolled back
    private static final String TRANSIENT = "TransientTransactionError"; // the driver runs the transaction again
    private static final Set<String> WITHOUT_TURN = Set.of("hello", "ismaster", "ping", "buildinfo", "endsessions");
    private static final Set<String> IN_TRANSACTION = Set.of(
        "find", "aggregate", "distinct", "getmore", "killcursors", "insert", "update", "delete", "findandmodify");
    private static final Set<String> ENDS_TRANSACTION = Set.of("committransaction", "aborttransaction");

    private enum State { RETRYABLE_WRITE, OPEN, COMMITTED, ABORTED }

    /** A client's session: its latest transaction or retryable write. The client numbers both in one sequence. */
    private static class Session {
        volatile long number = -1;
        volatile State state;
        volatile Document reply; // to the retryable write
        volatile Turns database; // of the transaction
        Channel channel; // of the transaction's last statement
        long heard; // when that statement arrived
    }

    private final String address;
    private final double faults;
    private final Random random = new Random();
    private final Map<UUID, Session> sessions = new ConcurrentHashMap<>();
    private final Map<String, Turns> databases = new ConcurrentHashMap<>();

    ReplicaSet(String address, double faults) {
        this.address = address;
        this.faults = faults;
    }

    @Override
    public Document handleCommand(Channel channel, String database, String command, Document query) {
        if (!command.equalsIgnoreCase("hello") && !command.equalsIgnoreCase("ismaster")) {
            return super.handleCommand(channel, database, command, query);
        }
        return super.handleCommand(channel, database, "ismaster", query)
            .append("isWritablePrimary", true).append("secondary", false)
            .append("setName", "rs0").append("setVersion", 1)
            .append("hosts", List.of(address)).append("me", address).append("primary", address)
            .append("logicalSessionTimeoutMinutes", 30);
    }

    @Override
    public Document handleMessage(MongoMessage message) {
        Document statement = message.getDocument();
        String command = statement.keySet().iterator().next().toLowerCase(Locale.ROOT);
        if (WITHOUT_TURN.contains(command)) return super.handleMessage(message);
        if (!(statement.get("txnNumber") instanceof Long number)) {
            return turns(message.getDatabaseName()).alone(message);
        }
        UUID id = (UUID) ((Document) statement.get("lsid")).get("id");
        Session session = sessions.computeIfAbsent(id, unknown -> new Session());
        Turns turns = session.database; // drivers end a transaction in the database "admin"
        if (turns == null || !ENDS_TRANSACTION.contains(command)) turns = turns(message.getDatabaseName());
        return turns.inSession(session, number, command, message);
    }

    // A transaction ends when the connection that it last used is closed.
    @Override
    public void handleClose(Channel channel) {
        databases.values().forEach(turns -> turns.closed(channel));
        super.handleClose(channel);
    }

    @Override
    public MemoryDatabase openOrCreateDatabase(String name) {
        Turns turns = turns(name);
        return new MemoryDatabase(name, getCursorRegistry()) {
            @Override
            protected MemoryCollection openOrCreateCollection(String collection, CollectionOptions options) {
                if (collection.startsWith("system.")) return super.openOrCreateCollection(collection, options);
                turns.undoWith(() -> dropCollection(collection, oplog));
                return new JournaledCollection(turns, this, collection, options);
            }
        };
    }

    private Turns turns(String database) { return databases.computeIfAbsent(database, unknown -> new Turns()); }

    private boolean fault() { return random.nextDouble() < faults; }

    private static Document okay() { return new Document("ok", 1.0); }

    private static Document failure(int code, String name, String... labels) {
        return new Document("ok", 0.0).append("errmsg", name).append("code", code).append("codeName", name)
            .append("errorLabels", List.of(labels));
    }

    /** Who may run statements in a database. Replies are copied, because they are sent after the lock is released. */
    private class Turns {
        private Session open; // the one with an open transaction, or null
        private Deque<Runnable> journal; // of the open transaction, the newest write first

        synchronized Document alone(MongoMessage message) {
            awaitTurn();
            return run(message);
        }

        synchronized Document inSession(Session session, long number, String command, MongoMessage message) {
            giveUpSilent();
            Document statement = message.getDocument();
            if (session == open && number > session.number) rollBack();
            if (!Boolean.FALSE.equals(statement.get("autocommit"))) return writeOnce(session, number, message);
            if (Boolean.TRUE.equals(statement.get("startTransaction"))) {
                Document refusal = start(session, number);
                if (refusal != null) return refusal;
            }
            return inTransaction(session, number, command, message);
        }

        synchronized void closed(Channel channel) {
            if (open != null && open.channel == channel) rollBack();
        }

        void undoWith(Runnable undo) {
            if (journal != null) journal.push(undo);
        }

        private Document run(MongoMessage message) { return ReplicaSet.super.handleMessage(message).cloneDeeply(); }

        // A driver that got no reply sends its write again: it gets the first reply, and nothing is written twice.
        // The fault here: the write succeeds, but the reply tells the driver to try again.
        private Document writeOnce(Session session, long number, MongoMessage message) {
            awaitTurn();
            if (number == session.number && session.state == State.RETRYABLE_WRITE) return session.reply;
            if (number <= session.number) return failure(225, "TransactionTooOld");
            session.reply = run(message);
            session.number = number;
            session.state = State.RETRYABLE_WRITE;
            return fault() ? failure(262, "ExceededTimeLimit", "RetryableWriteError") : session.reply;
        }

        // MongoDB fails a transaction that changes a document which another one is changing. This server fails a
        // quarter of those that start while another one is open, whatever they change; the others wait.
        private Document start(Session session, long number) {
            if (number <= session.number) return failure(225, "TransactionTooOld");
            boolean refused = open != null && random.nextInt(4) == 0;
            if (!refused) awaitTurn();
            session.number = number;
            session.state = refused ? State.ABORTED : State.OPEN;
            session.database = this;
            if (refused) return failure(112, "WriteConflict", TRANSIENT);
            open = session;
            journal = new ArrayDeque<>();
            return null;
        }

        private Document inTransaction(Session session, long number, String command, MongoMessage message) {
            if (number == session.number && session.state == State.COMMITTED) {
                return command.equals("committransaction") ? okay() : failure(256, "TransactionCommitted");
            }
            if (number != session.number || session.state != State.OPEN) {
                return failure(251, "NoSuchTransaction", TRANSIENT);
            }
            if (session != open) return failure(263, "OperationNotSupportedInTransaction"); // of another database
            session.channel = message.getChannel();
            session.heard = System.nanoTime();
            if (command.equals("committransaction")) return commit(session.channel);
            if (command.equals("aborttransaction")) {
                rollBack();
                return okay();
            }
            if (!IN_TRANSACTION.contains(command)) {
                rollBack();
                return failure(263, "OperationNotSupportedInTransaction");
            }
            if (fault()) {
                rollBack();
                return failure(112, "WriteConflict", TRANSIENT);
            }
            try {
                Document reply = run(message);
                if (reply.containsKey("writeErrors")) rollBack();
                return reply;
            } catch (RuntimeException e) {
                rollBack();
                throw e;
            }
        }

        // The fault here: the commit is rolled back, or its reply is lost, or both.
        private Document commit(Channel channel) {
            boolean fault = fault();
            boolean committed = !fault || random.nextBoolean();
            if (committed) end(State.COMMITTED); else rollBack();
            if (fault && (committed || random.nextBoolean())) channel.close();
            return committed ? okay() : failure(112, "WriteConflict", TRANSIENT);
        }

        private void rollBack() {
            Deque<Runnable> undoing = journal;
            journal = null; // so that undoing is not recorded in turn
            undoing.forEach(Runnable::run);
            end(State.ABORTED);
        }

        private void end(State state) {
            open.state = state;
            open = null;
            journal = null;
            notifyAll();
        }

        private void awaitTurn() {
            giveUpSilent();
            while (open != null) {
                try {
                    wait(100);
                } catch (InterruptedException e) {
                    throw new IllegalStateException(e);
                }
                giveUpSilent();
            }
        }

        private void giveUpSilent() {
            if (open != null && System.nanoTime() - open.heard > SILENCE) rollBack();
        }
    }

    private class JournaledCollection extends MemoryCollection {
        private final Turns turns;

        JournaledCollection(Turns turns, MemoryDatabase database, String name, CollectionOptions options) {
            super(database, name, options, getCursorRegistry());
            this.turns = turns;
        }

        @Override
        protected Integer addDocumentInternal(Document added) {
            turns.undoWith(() -> removeDocument(added));
            return super.addDocumentInternal(added);
        }

        @Override
        protected void removeDocument(Integer position) {
            Document removed = getDocument(position);
            turns.undoWith(() -> addDocument(removed));
            super.removeDocument(position);
        }

        @Override
        protected void handleUpdate(Integer position, Document before, Document updated) {
            turns.undoWith(() -> {
                removeDocument(updated);
                updated.clear();
                updated.putAll(before);
                addDocument(updated);
            });
        }
    }
}
