using System.Globalization;
using Microsoft.Data.Sqlite;
using Mirror.Store.Manifests;
using Mirror.Store.Rebuilding;

namespace Mirror.Store.Versions;

/// <summary>What the index says cannot be believed. Opening the store again makes a new one.</summary>
internal sealed class IndexDamagedException(string message, Exception? inner = null) : StoreException(message, inner);

// Opening an index to work with it, or only to read; making one from what is known.
internal sealed partial class VersionIndex
{
    private const int SqliteCorrupt = 11;
    private const int SqliteNotADatabase = 26;
    private const int SqliteFull = 13;

    private readonly string path;
    private readonly RebuildNotes? notes;
    private readonly string? copy;

    private VersionIndex(SqliteConnection connection, string path, RebuildNotes? notes, string? copy)
    {
        this.connection = connection;
        this.path = path;
        this.notes = notes;
        this.copy = copy;
    }

    /// <summary>A file beside an index that was found damaged while it was in use: it is not to be believed again.</summary>
    public static string SuspicionOf(string path) => path + ".suspect";

    /// <exception cref="IndexDamagedException"/>
    /// <exception cref="StoreException">Of a newer program, or a disk that cannot be used.</exception>
    public static VersionIndex Open(string path) =>
        Open(path, new RebuildNotes(Path.GetDirectoryName(path)!), copy: null);

    /// <summary>
    /// Writes nothing where the index is. One at rest is read where it lies; one whose log was not yet taken in, or of an older schema, is copied to <paramref name="scratch"/> first.
    /// </summary>
    /// <param name="scratch">A directory of its own, made when it is needed; deleted when the index is disposed.</param>
    /// <exception cref="IndexDamagedException"/>
    public static VersionIndex OpenToRead(string path, string scratch)
    {
        if (!HasLog(path))
        {
            var connection = Connect($"file:{Uri.EscapeDataString(path).Replace("%2F", "/", StringComparison.Ordinal)}?immutable=1", SqliteOpenMode.ReadOnly);
            try
            {
                connection.Open();
                RefuseEmpty(connection, path);
                if (IndexSchema.VersionOf(connection) == IndexSchema.Latest)
                {
                    return new VersionIndex(connection, path, notes: null, scratch);
                }

                connection.Dispose();
            }
            catch (SqliteException error)
            {
                connection.Dispose();
                throw Explained(error, path);
            }
            catch
            {
                connection.Dispose();
                throw;
            }
        }

        var mine = Path.Combine(MakeScratch(scratch), "index.db");
        foreach (var suffix in (string[])["", "-wal"])
        {
            if (File.Exists(path + suffix))
            {
                File.Copy(path + suffix, mine + suffix, overwrite: true);
                File.SetUnixFileMode(mine + suffix, UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }
        }

        return Open(mine, notes: null, scratch);
    }

    /// <summary>For this user's eyes only, as the index itself is.</summary>
    public static string MakeScratch(string scratch) =>
        Directory.CreateDirectory(scratch, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute).FullName;

    /// <summary>Its log holds transactions that are not in the file yet: the process that had it did not end in order.</summary>
    public static bool HasLog(string path) => new FileInfo(path + "-wal") is { Exists: true, Length: > 0 };

    /// <summary>A new index that says this, durable when it returns; the name is not, before its directory is synced.</summary>
    public static void Create(string path, IndexContents contents)
    {
        // SQLite would make it readable for everybody.
        using (new FileStream(path, new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        }))
        {
        }

        using var connection = Connect(path, SqliteOpenMode.ReadWrite);
        try
        {
            connection.Open();
            Execute(connection, "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL;");
            IndexSchema.BringUpToDate(connection, IndexSchema.Steps, rows => Fill(rows, contents));
        }
        catch (SqliteException error)
        {
            throw Explained(error, path);
        }
    }

    private static VersionIndex Open(string path, RebuildNotes? notes, string? copy)
    {
        var hasLog = HasLog(path);
        var connection = Connect(path, SqliteOpenMode.ReadWrite);
        try
        {
            connection.Open();
            Execute(connection, "PRAGMA locking_mode = EXCLUSIVE;");
            RefuseEmpty(connection, path);
            Execute(connection, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;");
            if (hasLog)
            {
                // What is read from here on was perhaps never synced: it is, before anybody goes by it.
                TakeLogIn(connection, path);
            }

            IndexSchema.BringUpToDate(connection, IndexSchema.Steps, _ => { });
            return new VersionIndex(connection, path, notes, copy);
        }
        catch (SqliteException error)
        {
            connection.Dispose();
            throw Explained(error, path);
        }
        catch
        {
            connection.Dispose();
            throw;
        }
    }

    /// <summary>An index is made whole or not at all: one without tables was emptied.</summary>
    private static void RefuseEmpty(SqliteConnection connection, string path)
    {
        if (IndexSchema.VersionOf(connection) == 0)
        {
            throw Damaged(new InvalidDataException("it has no tables"), path);
        }
    }

    private static void Fill(IndexChange rows, IndexContents contents)
    {
        rows.SetMeta("site", contents.Site);
        rows.SetMeta("block_seed", contents.BlockSeed.ToString(CultureInfo.InvariantCulture));
        rows.SetMode(contents.Mode, contents.LiveRoot);
        rows.SetHead(contents.Head);
        rows.SetOperation(contents.Operation);
        rows.ChangeEntries(Manifest.Empty, contents.HeadManifest);
        foreach (var row in contents.Versions)
        {
            rows.PutVersion(row);
        }

        foreach (var row in contents.Packs)
        {
            rows.PutPack(row);
        }

        foreach (var (slot, version) in contents.Slots)
        {
            rows.SetSlot(slot, version);
        }
    }

    private static SqliteConnection Connect(string source, SqliteOpenMode mode) =>
        new(new SqliteConnectionStringBuilder { DataSource = source, Mode = mode, Pooling = false }.ToString());

    private static StoreException Explained(SqliteException error, string path) => error.SqliteErrorCode is SqliteCorrupt or SqliteNotADatabase
        ? Damaged(error, path)
        : new StoreException($"The index {path} cannot be used: {error.Message.TrimEnd('.')}. Is the disk full, or read-only? Make room or mend it, and try again; what the store holds is as it was.", error);

    private static IndexDamagedException Damaged(Exception error, string path) => new(
        $"The index {path} is damaged ({error.Message.TrimEnd('.')}). Open the store again: it is made anew from packs and trees; what the store holds is as it was.", error);

    private static void TakeLogIn(SqliteConnection connection, string path)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA wal_checkpoint(TRUNCATE);";
        using var said = command.ExecuteReader();
        if (!said.Read() || said.GetInt64(0) != 0)
        {
            throw new StoreException($"The log of the index {path} could not be taken in: another process has it open. Close that, and open the store again.");
        }
    }

    private static void Execute(SqliteConnection connection, string sql)
    {
        using var command = connection.CreateCommand();
        command.CommandText = sql;
        command.ExecuteNonQuery();
    }
}
