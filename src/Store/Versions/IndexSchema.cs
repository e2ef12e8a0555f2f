using System.Globalization;
using Microsoft.Data.Sqlite;

namespace Mirror.Store.Versions;

/// <summary>
/// The tables of the index, as the steps that made them: step n leads from schema n − 1 to schema n, and <c>user_version</c> says where an index is. An older index takes
/// the steps it lacks in one transaction when it is opened; a newer one is refused. A step that was released is never changed: what is new is a further step.
/// </summary>
internal static class IndexSchema
{
    public static IReadOnlyList<string> Steps { get; } =
    [
        """
        CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
        CREATE TABLE versions (epoch INTEGER, sequence INTEGER, record BLOB NOT NULL, received INTEGER NOT NULL, note TEXT NOT NULL, staged INTEGER NOT NULL,
            PRIMARY KEY (epoch, sequence)) WITHOUT ROWID;
        CREATE TABLE packs (from_epoch INTEGER, from_sequence INTEGER, to_epoch INTEGER, to_sequence INTEGER,
            file TEXT NOT NULL, partial INTEGER NOT NULL, bytes INTEGER NOT NULL,
            PRIMARY KEY (from_epoch, from_sequence, to_epoch, to_sequence)) WITHOUT ROWID;
        CREATE TABLE slots (name TEXT PRIMARY KEY, epoch INTEGER NOT NULL, sequence INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE entries (path BLOB PRIMARY KEY, entry BLOB NOT NULL) WITHOUT ROWID;
        CREATE TABLE stat_keys (path BLOB PRIMARY KEY, device INTEGER NOT NULL, inode INTEGER NOT NULL, size INTEGER NOT NULL,
            mtime INTEGER NOT NULL, ctime INTEGER NOT NULL) WITHOUT ROWID;
        CREATE TABLE signatures (hash BLOB PRIMARY KEY, signature BLOB NOT NULL) WITHOUT ROWID;
        """,
    ];

    public static int Latest => Steps.Count;

    /// <param name="begin">Fills a new index, in the transaction that makes it.</param>
    /// <exception cref="StoreException">It was written by a newer program.</exception>
    public static void BringUpToDate(SqliteConnection connection, IReadOnlyList<string> steps, Action<IndexChange> begin)
    {
        var found = VersionOf(connection);
        if (found > steps.Count)
        {
            throw new StoreException($"The index {connection.DataSource} has schema {found}; this program knows {steps.Count}. Use the newer program that wrote it; nothing was changed.");
        }

        if (found == steps.Count)
        {
            return;
        }

        // user_version is part of the transaction: either all of the steps were taken or none.
        using var transaction = connection.BeginTransaction();
        using (var rows = new IndexChange(connection, transaction))
        {
            for (var at = (int)found; at < steps.Count; at++)
            {
                rows.Execute(steps[at]);
            }

            if (found == 0)
            {
                begin(rows);
            }

            rows.Execute(string.Create(CultureInfo.InvariantCulture, $"PRAGMA user_version = {steps.Count}"));
        }

        transaction.Commit();
    }

    public static long VersionOf(SqliteConnection connection)
    {
        using var command = connection.CreateCommand();
        command.CommandText = "PRAGMA user_version";
        return (long)command.ExecuteScalar()!;
    }
}
