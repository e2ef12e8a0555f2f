using System.Globalization;
using Microsoft.Data.Sqlite;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Packs;
using Mirror.Store.Slots;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

/// <summary>
/// <c>index.db</c>: versions, the head's manifest, packs, slots; for a capturing node also stat keys and block signatures. One connection, WAL, synced at every
/// commit: a committed transaction is the moment an operation has happened. Manifests of other versions are not here but in the packs.
/// Callers serialise changes; reads of signatures and stat keys take the same lock.
/// </summary>
internal sealed class VersionIndex : IDisposable
{
    private const int SqliteCorrupt = 11;
    private const int SqliteNotADatabase = 26;

    private readonly SqliteConnection connection;
    private readonly Lock gate = new();

    private VersionIndex(SqliteConnection connection) => this.connection = connection;

    /// <param name="create">Makes a new index for this site; otherwise one must be there.</param>
    public static VersionIndex Open(string path, bool create, string site, ulong blockSeed)
    {
        if (create)
        {
            // SQLite would make it readable for everybody, and its log with the same mode.
            using var own = new FileStream(path, new FileStreamOptions
            {
                Mode = FileMode.CreateNew,
                Access = FileAccess.Write,
                UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
            });
        }

        var connection = new SqliteConnection(new SqliteConnectionStringBuilder
        {
            DataSource = path,
            Mode = create ? SqliteOpenMode.ReadWriteCreate : SqliteOpenMode.ReadWrite,
            Pooling = false,
        }.ToString());
        var index = new VersionIndex(connection);
        try
        {
            connection.Open();
            index.Execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA locking_mode = EXCLUSIVE;");
            IndexSchema.BringUpToDate(connection, IndexSchema.Steps, rows => Begin(rows, site, blockSeed));
            return index;
        }
        catch (SqliteException error)
        {
            index.Dispose();
            throw index.Explained(error);
        }
        catch
        {
            index.Dispose();
            throw;
        }
    }

    /// <exception cref="StoreException">The file is damaged, though it opened as a database.</exception>
    public IndexContents Load()
    {
        try
        {
            return LoadAll();
        }
        catch (Exception error) when (error is KeyNotFoundException or FormatException or ArgumentException or OverflowException or InvalidCastException or InvalidDataException or PackFormatException)
        {
            throw Damaged(error);
        }
    }

    private IndexContents LoadAll()
    {
        lock (gate)
        {
            var meta = Read("SELECT key, value FROM meta", row => (Key: row.GetString(0), Value: row.GetString(1))).ToDictionary(pair => pair.Key, pair => pair.Value);
            var entries = Read("SELECT entry FROM entries", row => IndexRecords.ParseEntry(row.GetFieldValue<byte[]>(0)));
            entries.Sort((left, right) => left.Path.CompareTo(right.Path));
            return new IndexContents(
                meta["site"],
                ulong.Parse(meta["block_seed"], CultureInfo.InvariantCulture),
                Enum.Parse<StoreMode>(meta["mode"]),
                meta["live_root"],
                VersionId.TryParse(meta["head"], out var head) ? head : default,
                Guid.Parse(meta["operation"]),
                Read("SELECT record, received, note, staged FROM versions ORDER BY epoch, sequence",
                    row => new VersionRow(
                        IndexRecords.ParseVersion(row.GetFieldValue<byte[]>(0)), DateTimeOffset.FromUnixTimeMilliseconds(row.GetInt64(1)), row.GetString(2), row.GetInt64(3) != 0)),
                Read("SELECT from_epoch, from_sequence, to_epoch, to_sequence, file, partial, bytes FROM packs",
                    row => new PackRow(Id(row, 0), Id(row, 2), row.GetString(4), row.GetInt64(5) != 0, row.GetInt64(6))),
                Read("SELECT name, epoch, sequence FROM slots", row => (Name: row.GetString(0), Version: Id(row, 1))).ToDictionary(pair => pair.Name, pair => pair.Version),
                entries.Count == 0 ? Manifest.Empty : Manifest.FromSorted(entries));
        }
    }

    public Dictionary<EntryPath, StatKey> LoadStatKeys()
    {
        lock (gate)
        {
            return Read("SELECT path, device, inode, size, mtime, ctime FROM stat_keys", row => (
                    Path: EntryPath.Parse(row.GetFieldValue<byte[]>(0)),
                    Key: new StatKey(unchecked((ulong)row.GetInt64(1)), unchecked((ulong)row.GetInt64(2)), row.GetInt64(3), row.GetInt64(4), row.GetInt64(5))))
                .ToDictionary(pair => pair.Path, pair => pair.Key);
        }
    }

    public BlockSignature? FindSignature(ContentHash hash)
    {
        lock (gate)
        {
            return Guarded(() =>
            {
                using var command = connection.CreateCommand();
                command.CommandText = "SELECT signature FROM signatures WHERE hash = $hash";
                command.Parameters.AddWithValue("$hash", hash.ToArray());
                return command.ExecuteScalar() is byte[] bytes ? BlockSignature.Parse(bytes) : null;
            });
        }
    }

    public List<ContentHash> SignedContents()
    {
        lock (gate)
        {
            return Read("SELECT hash FROM signatures", row => ContentHash.From(row.GetFieldValue<byte[]>(0)));
        }
    }

    /// <summary>Runs <paramref name="change"/> in one transaction; durable when this returns, undone when it throws.</summary>
    public void Commit(IStoreDisk disk, string op, Action<IndexChange> change)
    {
        lock (gate)
        {
            Guarded(() =>
            {
                using var transaction = connection.BeginTransaction();
                using (var rows = new IndexChange(connection, transaction))
                {
                    change(rows);
                }

                disk.Change($"{op}: commit", transaction.Commit);
                return true;
            });
        }
    }

    public void Dispose() => connection.Dispose();

    private static void Begin(IndexChange rows, string site, ulong blockSeed)
    {
        rows.SetMeta("site", site);
        rows.SetMeta("block_seed", blockSeed.ToString(CultureInfo.InvariantCulture));
        rows.SetMode(StoreMode.Holding, "");
        rows.SetHead(default);
        rows.SetOperation(Guid.Empty);
    }

    /// <summary>What SQLite has to complain of (a full disk, a damaged page) becomes the store's own error, which says whose index it is and what to do.</summary>
    private T Guarded<T>(Func<T> use)
    {
        try
        {
            return use();
        }
        catch (SqliteException error)
        {
            throw Explained(error);
        }
    }

    private StoreException Explained(SqliteException error) => error.SqliteErrorCode is SqliteCorrupt or SqliteNotADatabase
        ? Damaged(error)
        : new StoreException($"The index {connection.DataSource} cannot be used: {error.Message.TrimEnd('.')}. Is the disk full, or read-only? Make room or mend it, and try again; what the store holds is as it was.", error);

    private StoreException Damaged(Exception error) => new(
        $"The index {connection.DataSource} is damaged ({error.Message.TrimEnd('.')}). Put it back from a backup, or move the store's directory away and begin anew: a node fetches the site from the others, `mirror save` makes a new store. The newest version's files lie in the old one, under current/.",
        error);

    private List<T> Read<T>(string sql, Func<SqliteDataReader, T> map) => Guarded(() => ReadRows(sql, map));

    private List<T> ReadRows<T>(string sql, Func<SqliteDataReader, T> map)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        var rows = new List<T>();
        while (reader.Read())
        {
            rows.Add(map(reader));
        }

        return rows;
    }

    private static VersionId Id(SqliteDataReader row, int column) => new((ulong)row.GetInt64(column), (ulong)row.GetInt64(column + 1));

    private void Execute(string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
