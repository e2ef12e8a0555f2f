using Microsoft.Data.Sqlite;

namespace Wiki.Storage;

internal static class Health
{
    public static void MapHealth(this WebApplication app) =>
        app.MapGet("/healthz", (WikiRoot root, Database database) => Check(root, database) is { } fault
            ? Results.Text(fault + "\n", statusCode: StatusCodes.Status503ServiceUnavailable)
            : Results.Text("ok\n"));

    /// <returns>What is wrong; null when all is well.</returns>
    private static string? Check(WikiRoot root, Database database)
    {
        if (!Directory.Exists(root.Pages))
        {
            return "the directory of pages is missing";
        }

        try
        {
            using var connection = database.Open();
            connection.Scalar<long>("SELECT count(*) FROM users");
            connection.Scalar<long>("SELECT max(id) FROM edits");
            return null;
        }
        catch (SqliteException failure)
        {
            return $"the database cannot be read: {failure.Message}";
        }
    }
}
