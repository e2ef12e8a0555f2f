using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;
using Npgsql;

// A shop small enough for a test: items in PostgreSQL, a notice in a file. It knows nothing of Mirror.
var builder = WebApplication.CreateSlimBuilder(args);
builder.Logging.ClearProviders();
builder.WebHost.UseUrls(builder.Configuration["urls"]!);
await using var database = NpgsqlDataSource.Create(Environment.GetEnvironmentVariable("SHOP_DATABASE")!);
var app = builder.Build();

app.MapGet("/healthz", async () =>
{
    await using var command = database.CreateCommand("select count(*) from items");
    return Results.Text($"{await command.ExecuteScalarAsync()}");
});
app.MapGet("/items", async () =>
{
    await using var command = database.CreateCommand("select coalesce(string_agg(name, ',' order by name), '') from items");
    return Results.Text((string)(await command.ExecuteScalarAsync())!);
});
app.MapPost("/items/{name}", async (string name) =>
{
    await using var command = database.CreateCommand("insert into items(name) values ($1)");
    command.Parameters.AddWithValue(name);
    await command.ExecuteNonQueryAsync();
    return Results.Ok();
});
app.MapGet("/notice", () => Results.Text(File.ReadAllText(Path.Combine(builder.Configuration["root"]!, "notice.txt"))));
await app.RunAsync();
