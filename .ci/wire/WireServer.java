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
 * The in-memory backend with transactions. Only one is open at a time, and all other statements wait until it ends.
 * Its writes take effect immediately; each records in the journal how to undo it.
 */
class ReplicaSet extends MemoryBackend {
    private static final long SILENCE = 5_000_000_000L; // ns without a statement until a transaction is rolled back
    private static final String TRANSIENT = "TransientTransactionError"; // the driver runs the transaction again
    private static final Set<String> WITHOUT_TURN = Set.of("hello", "ismaster", "ping", "buildinfo", "endsessions");
    private static final Set<String> IN_TRANSACTION = Set.of(
        "find", "aggregate", "distinct", "getmore", "killcursors", "insert", "update", "delete", "findandmodify");

    private enum State { RETRYABLE_WRITE, OPEN, COMMITTED, ABORTED }

    /** A client's session: its latest transaction or retryable write. The client numbers both in one sequence. */
    private static class Session {
        long number = -1;
        State state;
        Document reply; // to the retryable write
        Channel channel; // of the transaction's last statement
        long heard; // when that statement arrived
    }

    private final String address;
    private final double faults;
    private final Random random = new Random();
    private final Map<UUID, Session> sessions = new HashMap<>();
    private Session open; // the one with an open transaction, or null
    private Deque<Runnable> journal; // of the open transaction, the newest write first

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
        String command = message.getDocument().keySet().iterator().next().toLowerCase(Locale.ROOT);
        if (WITHOUT_TURN.contains(command)) return super.handleMessage(message);
        synchronized (this) {
            return inTurn(command, message).cloneDeeply(); // because it is sent after the lock is released
        }
    }

    // A transaction ends when the connection that it last used is closed.
    @Override
    public synchronized void handleClose(Channel channel) {
        if (open != null && open.channel == channel) rollBack();
        super.handleClose(channel);
    }

    private Document inTurn(String command, MongoMessage message) {
        Document statement = message.getDocument();
        giveUpSilent();
        if (!(statement.get("txnNumber") instanceof Long number)) {
            awaitTurn();
            return super.handleMessage(message);
        }
        UUID id = (UUID) ((Document) statement.get("lsid")).get("id");
        Session session = sessions.computeIfAbsent(id, unknown -> new Session());
        if (session == open && number > session.number) rollBack();
        if (!Boolean.FALSE.equals(statement.get("autocommit"))) return writeOnce(session, number, message);
        if (Boolean.TRUE.equals(statement.get("startTransaction"))) {
            Document refusal = start(session, number);
            if (refusal != null) return refusal;
        }
        return inTransaction(session, number, command, message);
    }

    // A driver that got no reply sends its write again: it gets the first reply, and nothing is written twice.
    // The fault here: the write succeeds, but the reply tells the driver to try again.
    private Document writeOnce(Session session, long number, MongoMessage message) {
        awaitTurn();
        if (number == session.number && session.state == State.RETRYABLE_WRITE) return session.reply;
        if (number <= session.number) return failure(225, "TransactionTooOld");
        session.reply = super.handleMessage(message).cloneDeeply();
        session.number = number;
        session.state = State.RETRYABLE_WRITE;
        return fault() ? failure(262, "ExceededTimeLimit", "RetryableWriteError") : session.reply;
    }

    // MongoDB fails a transaction that changes a document which another one is changing. This server fails a quarter of
    // those that start while another one is open, whatever they change; the others wait.
    private Document start(Session session, long number) {
        if (number <= session.number) return failure(225, "TransactionTooOld");
        boolean refused = open != null && random.nextInt(4) == 0;
        if (!refused) awaitTurn();
        session.number = number;
        session.state = refused ? State.ABORTED : State.OPEN;
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
            Document reply = super.handleMessage(message);
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

    private boolean fault() { return random.nextDouble() < faults; }

    private static Document okay() { return new Document("ok", 1.0); }

    private static Document failure(int code, String name, String... labels) {
        return new Document("ok", 0.0).append("errmsg", name).append("code", code).append("codeName", name)
            .append("errorLabels", List.of(labels));
    }

    private void undoWith(Runnable undo) {
        if (journal != null) journal.push(undo);
    }

    @Override
    public MemoryDatabase openOrCreateDatabase(String name) {
        return new MemoryDatabase(name, getCursorRegistry()) {
            @Override
            protected MemoryCollection openOrCreateCollection(String collection, CollectionOptions options) {
                if (collection.startsWith("system.")) return super.openOrCreateCollection(collection, options);
                undoWith(() -> dropCollection(collection, oplog));
                return new JournaledCollection(this, collection, options);
            }
        };
    }

    private class JournaledCollection extends MemoryCollection {
        JournaledCollection(MemoryDatabase database, String name, CollectionOptions options) {
            super(database, name, options, getCursorRegistry());
        }

        @Override
        protected Integer addDocumentInternal(Document added) {
            undoWith(() -> removeDocument(added));
            return super.addDocumentInternal(added);
        }

        @Override
        protected void removeDocument(Integer position) {
            Document removed = getDocument(position);
            undoWith(() -> addDocument(removed));
            super.removeDocument(position);
        }

        @Override
        protected void handleUpdate(Integer position, Document before, Document updated) {
            undoWith(() -> {
                removeDocument(updated);
                updated.clear();
                updated.putAll(before);
                addDocument(updated);
            });
        }
    }
}
