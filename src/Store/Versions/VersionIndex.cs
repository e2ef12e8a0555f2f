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
internal sealed partial class VersionIndex : IDisposable
{
    private readonly SqliteConnection connection;
    private readonly Lock gate = new();

    /// <summary>The last commit failed, and may be in the log all the same.</summary>
    private bool inDoubt;

    /// <exception cref="IndexDamagedException">The file is damaged, though it opened as a database.</exception>
    public IndexContents Load()
    {
        try
        {
            var contents = LoadAll();
            notes?.Know(contents);
            return contents;
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
                LoadManifest());
        }
    }

    private Manifest LoadManifest()
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        var entries = new List<Entry>(Count("entries"));
        Each("SELECT entry FROM entries", row => entries.Add(IndexRecords.ParseEntry(row.GetFieldValue<byte[]>(0), names)));
        entries.Sort((left, right) => left.Path.CompareTo(right.Path));
        return entries.Count == 0 ? Manifest.Empty : Manifest.FromSorted(entries);
    }

    private VersionRecord LoadRecord(VersionId id)
    {
        var rows = Read(
            string.Create(CultureInfo.InvariantCulture, $"SELECT record FROM versions WHERE epoch = {(long)id.Epoch} AND sequence = {(long)id.Sequence}"),
            row => IndexRecords.ParseVersion(row.GetFieldValue<byte[]>(0)));
        return rows.Count == 1 ? rows[0] : throw Damaged(new InvalidDataException($"it has no record of its head {id}"));
    }

    /// <summary>Puts what is known of the stats of the live tree beside the entries.</summary>
    public void NoteStatKeys(Manifest manifest)
    {
        lock (gate)
        {
            manifest.Note(Read("SELECT path, device, inode, size, mtime, ctime FROM stat_keys", row => KeyValuePair.Create(
                EntryPath.Parse(row.GetFieldValue<byte[]>(0)),
                new StatKey(unchecked((ulong)row.GetInt64(1)), unchecked((ulong)row.GetInt64(2)), row.GetInt64(3), row.GetInt64(4), row.GetInt64(5)))));
        }
    }

    /// <summary>Of all paths that a stat is kept of, those that are not in the manifest.</summary>
    public List<EntryPath> StatKeysBeside(Manifest manifest)
    {
        lock (gate)
        {
            var beside = new List<EntryPath>();
            Each("SELECT path FROM stat_keys", row =>
            {
                if (EntryPath.Parse(row.GetFieldValue<byte[]>(0)) is var path && manifest.Find(path) is null)
                {
                    beside.Add(path);
                }
            });
            return beside;
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
                return command.ExecuteScalar() is byte[] bytes ? Parsed(bytes) : null;
            });
        }
    }

    /// <summary>A signature only saves work: one that cannot be read is none, and its content is sent whole.</summary>
    private static BlockSignature? Parsed(byte[] bytes)
    {
        try
        {
            return BlockSignature.Parse(bytes);
        }
        catch (DeltaFormatException)
        {
            return null;
        }
    }

    public List<ContentHash> SignedContents()
    {
        lock (gate)
        {
            return Read("SELECT hash FROM signatures", row => ContentHash.From(row.GetFieldValue<byte[]>(0)));
        }
    }

    /// <summary>Runs <paramref name="change"/> in one transaction; durable when this returns, undone when it throws. What a rebuild needs besides is written before it.</summary>
    public void Commit(IStoreDisk disk, string op, Action<IndexChange> change)
    {
        if (notes is null)
        {
            throw new ReadOnlyStoreException($"The index {path} was opened only to be read: \"{op}\" is refused.");
        }

        lock (gate)
        {
            Guarded(() =>
            {
                using var transaction = connection.BeginTransaction();
                using (var rows = new IndexChange(connection, transaction))
                {
                    change(rows);
                    notes.Follow(disk, rows, LoadRecord, LoadManifest);
                }

                try
                {
                    disk.Change($"{op}: commit", transaction.Commit);
                }
                catch (Exception error)
                {
                    inDoubt = error is not SqliteException { SqliteErrorCode: SqliteFull };
                    throw;
                }

                return true;
            });
        }
    }

    /// <summary>
    /// A commit whose sync failed counts as undone here, but its pages are in the log: whoever opens the index next would find it done. Another commit takes their place, before anything
    /// that belonged to the first is rolled back. Where no room was left for it, the failed one did not come to its end, and there is no doubt.
    /// </summary>
    public void Refute(IStoreDisk disk)
    {
        if (inDoubt)
        {
            Commit(disk, "refute", change => change.SetMeta("refuted", Guid.NewGuid().ToString()));
            inDoubt = false;
        }
    }

    public void Dispose()
    {
        connection.Dispose();
        if (copy is not null && Directory.Exists(copy))
        {
            Directory.Delete(copy, recursive: true);
        }
    }

    /// <summary>Makes what a rebuild needs say the same as the index, wherever it does not: after an interrupted operation, and in a store of an older program.</summary>
    public void MendNotes(IStoreDisk disk, IndexContents contents) => notes!.Mend(disk, contents);

    /// <summary>What is wrong with the pages of the file; null when nothing is. Reads all of it.</summary>
    public string? FindFault()
    {
        try
        {
            var said = Read("PRAGMA integrity_check(1)", row => row.GetString(0));
            return said is ["ok"] ? null : string.Join("; ", said);
        }
        catch (IndexDamagedException damaged)
        {
            return damaged.Message;
        }
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

    private StoreException Explained(SqliteException error)
    {
        var explained = Explained(error, path);
        if (explained is IndexDamagedException && notes is not null)
        {
            // Opening it may well succeed: not every page is read then.
            using var suspicion = new FileStream(SuspicionOf(path), FileMode.OpenOrCreate);
        }

        return explained;
    }

    private IndexDamagedException Damaged(Exception error) => Damaged(error, path);

    private List<T> Read<T>(string sql, Func<SqliteDataReader, T> map)
    {
        var rows = new List<T>();
        Each(sql, row => rows.Add(map(row)));
        return rows;
    }

    private void Each(string sql, Action<SqliteDataReader> met) => Guarded(() =>
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        using var reader = command.ExecuteReader();
        while (reader.Read())
        {
            met(reader);
        }

        return true;
    });

    /// <summary>So that a table of a million rows is read into one that does not have to grow, and to be copied, again and again.</summary>
    private int Count(string table) => (int)Read($"SELECT count(*) FROM {table}", static row => row.GetInt64(0))[0];

    private static VersionId Id(SqliteDataReader row, int column) => new((ulong)row.GetInt64(column), (ulong)row.GetInt64(column + 1));
}
