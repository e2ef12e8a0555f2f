using System.Globalization;
using Wiki.Storage;

namespace Wiki.Pages;

public sealed record NewEdit(PageName Page, int Revision, string? Author, int Bytes);

public sealed record Edit(string Page, int Revision, string? Author, DateTimeOffset At, long Bytes);

/// <summary>Who changed what and when, in the database.</summary>
public sealed class EditLog(Database database, TimeProvider time)
{
    private const string Columns = "page, revision, author, at, bytes";

    /// <summary>Records an edit and does it: the files are touched only when the database can take the record, and the record stays only when the files were written.</summary>
    public async Task RecordAsync(NewEdit edit, Func<Task> write)
    {
        using var connection = database.Open();
        using var transaction = connection.BeginTransaction();
        connection.Execute(
            $"INSERT INTO edits ({Columns}) VALUES ($page, $revision, $author, $at, $bytes)",
            ("$page", edit.Page.Text), ("$revision", edit.Revision), ("$author", edit.Author),
            ("$at", time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture)), ("$bytes", edit.Bytes));
        await write();
        transaction.Commit();
    }

    public IReadOnlyList<Edit> Recent(int count) => Query($"SELECT {Columns} FROM edits ORDER BY id DESC LIMIT {count}");

    public IReadOnlyList<Edit> Of(PageName page, int count) =>
        Query($"SELECT {Columns} FROM edits WHERE page = $page ORDER BY revision DESC LIMIT {count}", ("$page", page.Text));

    private List<Edit> Query(string sql, params (string Name, object? Value)[] parameters)
    {
        using var connection = database.Open();
        return connection.Query(
            sql,
            row => new Edit(
                row.GetString(0), row.GetInt32(1), row.IsDBNull(2) ? null : row.GetString(2),
                DateTimeOffset.Parse(row.GetString(3), CultureInfo.InvariantCulture), row.GetInt64(4)),
            parameters);
    }
}
