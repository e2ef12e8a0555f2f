using System.Buffers;
using Microsoft.Data.Sqlite;
using Mirror.Delta;
using Mirror.Store.Manifests;
using Mirror.Store.Rebuilding;
using Mirror.Store.Tree;

namespace Mirror.Store.Versions;

/// <summary>The statements of one transaction of the index. Commands are prepared once and reused, since a version can change many rows.</summary>
internal sealed class IndexChange(SqliteConnection connection, SqliteTransaction transaction) : IDisposable
{
    private readonly Dictionary<string, SqliteCommand> prepared = [];
    private readonly Dictionary<VersionId, VersionRow?> versions = [];
    private (StoreMode Mode, string LiveRoot)? mode;

    /// <summary>The new head; null when this transaction sets none.</summary>
    public VersionId? Head { get; private set; }

    /// <summary>How the head's manifest changes, as a pack would say it.</summary>
    public Func<PackChanges> Entries { get; private set; } = () => PackChanges.Plain(new ManifestDelta([], []));

    /// <summary>What the facts beside the index become; null when they stay as they are.</summary>
    public StoreFacts? Applied(StoreFacts facts)
    {
        if (mode is null && versions.All(version => facts.NoteOf(version.Key) == (version.Value?.Note ?? "")))
        {
            return null;
        }

        var notes = new SortedDictionary<string, string>(facts.Notes, StringComparer.Ordinal);
        foreach (var (id, row) in versions)
        {
            notes.Remove(id.ToString());
            if (row is { Note.Length: > 0 })
            {
                notes.Add(id.ToString(), row.Note);
            }
        }

        return facts with { Mode = mode?.Mode ?? facts.Mode, LiveRoot = mode?.LiveRoot ?? facts.LiveRoot, Notes = notes };
    }

    public void SetMeta(string key, string value) => Run("INSERT OR REPLACE INTO meta VALUES ($0, $1)", key, value);

    public void SetMode(StoreMode mode, string liveRoot)
    {
        this.mode = (mode, liveRoot);
        SetMeta("mode", mode.ToString());
        SetMeta("live_root", liveRoot);
    }

    public void SetHead(VersionId head)
    {
        Head = head;
        SetMeta("head", head.ToString());
    }

    /// <summary>The operation of the journal that this transaction makes happen.</summary>
    public void SetOperation(Guid operation) => SetMeta("operation", operation.ToString());

    public void PutVersion(VersionRow row)
    {
        versions[row.Record.Id] = row;
        Run("INSERT OR REPLACE INTO versions VALUES ($0, $1, $2, $3, $4, $5)",
            (long)row.Record.Id.Epoch, (long)row.Record.Id.Sequence, IndexRecords.Bytes(row.Record), row.Received.ToUnixTimeMilliseconds(), row.Note, row.Staged ? 1L : 0L);
    }

    public void DeleteVersion(VersionId id)
    {
        versions[id] = null;
        Run("DELETE FROM versions WHERE epoch = $0 AND sequence = $1", (long)id.Epoch, (long)id.Sequence);
    }

    /// <summary>By number: to look for them would take as long as the history is.</summary>
    public void ClearStaged(IEnumerable<VersionRow> staged)
    {
        foreach (var row in staged)
        {
            Run("UPDATE versions SET staged = 0 WHERE epoch = $0 AND sequence = $1", (long)row.Record.Id.Epoch, (long)row.Record.Id.Sequence);
        }
    }

    public void PutPack(PackRow row) => Run("INSERT OR REPLACE INTO packs VALUES ($0, $1, $2, $3, $4, $5, $6)",
        (long)row.From.Epoch, (long)row.From.Sequence, (long)row.To.Epoch, (long)row.To.Sequence, row.File, row.Partial ? 1L : 0L, row.Bytes);

    public void DeletePack(PackRow row) => Run("DELETE FROM packs WHERE from_epoch = $0 AND from_sequence = $1 AND to_epoch = $2 AND to_sequence = $3",
        (long)row.From.Epoch, (long)row.From.Sequence, (long)row.To.Epoch, (long)row.To.Sequence);

    public void SetSlot(string name, VersionId version) => Run("INSERT OR REPLACE INTO slots VALUES ($0, $1, $2)", name, (long)version.Epoch, (long)version.Sequence);

    public void DeleteSlot(string name) => Run("DELETE FROM slots WHERE name = $0", name);

    /// <summary>Once in a transaction.</summary>
    /// <param name="moves">Directories that are known to have moved; none: they are searched.</param>
    public void ChangeEntries(Manifest from, Manifest to, IReadOnlyList<DirectoryMove>? moves = null)
    {
        var changes = Manifest.Diff(from, to);
        Entries = () => PackChanges.Between(from, changes, moves ?? []);
        foreach (var path in changes.Removed)
        {
            Run("DELETE FROM entries WHERE path = $0", path.Bytes.ToArray());
        }

        foreach (var entry in changes.Put)
        {
            Run("INSERT OR REPLACE INTO entries VALUES ($0, $1)", entry.Path.Bytes.ToArray(), IndexRecords.Bytes(entry));
        }
    }

    public void PutStatKey(EntryPath path, StatKey key) => Run("INSERT OR REPLACE INTO stat_keys VALUES ($0, $1, $2, $3, $4, $5)",
        path.Bytes.ToArray(), unchecked((long)key.Device), unchecked((long)key.Inode), key.Size, key.MtimeNs, key.CtimeNs);

    public void DeleteStatKey(EntryPath path) => Run("DELETE FROM stat_keys WHERE path = $0", path.Bytes.ToArray());

    public void ClearCaptureState() => Execute("DELETE FROM stat_keys; DELETE FROM signatures;");

    public void PutSignature(ContentHash hash, BlockSignature signature)
    {
        var bytes = new ArrayBufferWriter<byte>();
        signature.WriteTo(bytes);
        Run("INSERT OR REPLACE INTO signatures VALUES ($0, $1)", hash.ToArray(), bytes.WrittenSpan.ToArray());
    }

    public void DeleteSignature(ContentHash hash) => Run("DELETE FROM signatures WHERE hash = $0", hash.ToArray());

    public void Execute(string sql)
    {
        using var command = connection.CreateCommand();
        command.Transaction = transaction;
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }

    public void Dispose()
    {
        foreach (var command in prepared.Values)
        {
            command.Dispose();
        }
    }

    private void Run(string sql, params ReadOnlySpan<object> values)
    {
        if (!prepared.TryGetValue(sql, out var command))
        {
            command = connection.CreateCommand();
            command.Transaction = transaction;
            command.CommandText = sql;
            for (var i = 0; i < values.Length; i++)
            {
                command.Parameters.Add(new SqliteParameter { ParameterName = $"${i}" });
            }

            prepared.Add(sql, command);
        }

        for (var i = 0; i < values.Length; i++)
        {
            command.Parameters[i].Value = values[i];
        }

        command.ExecuteNonQuery();
    }
}
