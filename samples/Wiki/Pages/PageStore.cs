using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Wiki.Storage;

namespace Wiki.Pages;

public sealed record PageText(string Text, int Revision);

/// <summary>Somebody else saved the page since it was opened for editing.</summary>
public sealed class EditConflictException(PageText latest) : Exception("The page was changed meanwhile.")
{
    public PageText Latest => latest;
}

/// <summary>Pages as files. A save writes the new revision into the history first and the page second, so every text that was ever a page's is in the history.</summary>
public sealed class PageStore(WikiRoot root, EditLog edits) : IDisposable
{
    public const int MaxBytes = 4 << 20;

    private readonly ConcurrentDictionary<PageName, Cell> _cells = [];

    public IEnumerable<PageName> Names() =>
        from path in Directory.EnumerateFiles(root.Pages, "*.md")
        let text = Path.GetFileNameWithoutExtension(path)
        where PageName.TryParse(text, out _)
        orderby text.ToLowerInvariant()
        select PageName.Parse(text, CultureInfo.InvariantCulture);

    public bool Exists(PageName name) => File.Exists(PathOf(name));

    public DateTime LastChange(PageName name) => File.GetLastWriteTimeUtc(PathOf(name));

    public async Task<PageText?> ReadAsync(PageName name)
    {
        using var held = await CellOf(name).HoldAsync();
        return Read(name, held.Cell);
    }

    /// <returns>The text of one revision; null when there is none.</returns>
    public string? ReadRevision(PageName name, int revision) =>
        PathOf(name, revision) is var path && File.Exists(path) ? File.ReadAllText(path) : null;

    /// <param name="basedOn">The revision the author saw, 0 for a new page; null to save over anything.</param>
    /// <returns>The new revision.</returns>
    /// <exception cref="EditConflictException">The page has another revision by now.</exception>
    public async Task<int> SaveAsync(PageName name, string text, int? basedOn, string? author)
    {
        using var held = await CellOf(name).HoldAsync();
        var before = Read(name, held.Cell);
        if (basedOn is { } seen && seen != (before?.Revision ?? 0))
        {
            throw new EditConflictException(before ?? new("", 0));
        }

        return await WriteAsync(name, text, held.Cell, author);
    }

    /// <summary>Adds one line at the end, making the page if need be.</summary>
    /// <returns>The new revision.</returns>
    public async Task<int> AppendAsync(PageName name, string line, string? author)
    {
        using var held = await CellOf(name).HoldAsync();
        var text = Read(name, held.Cell)?.Text ?? "";
        var separator = text.Length > 0 && !text.EndsWith('\n') ? "\n" : "";
        return await WriteAsync(name, $"{text}{separator}{line}\n", held.Cell, author);
    }

    public void Dispose()
    {
        foreach (var cell in _cells.Values)
        {
            cell.Dispose();
        }
    }

    private Cell CellOf(PageName name) => _cells.GetOrAdd(name, _ => new Cell());

    private string PathOf(PageName name) => Path.Combine(root.Pages, name + ".md");

    private string PathOf(PageName name, int revision) => Path.Combine(root.History, name.Text, revision.ToString("D6", CultureInfo.InvariantCulture) + ".md");

    private PageText? Read(PageName name, Cell cell) =>
        File.Exists(PathOf(name)) ? new(File.ReadAllText(PathOf(name)), LastRevision(name, cell)) : null;

    private async Task<int> WriteAsync(PageName name, string text, Cell cell, string? author)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        if (bytes.Length > MaxBytes)
        {
            throw new BadHttpRequestException($"A page may have {MaxBytes >> 20} MiB.", StatusCodes.Status413PayloadTooLarge);
        }

        var revision = LastRevision(name, cell) + 1;
        DurableFile.MakeDirectory(Path.Combine(root.History, name.Text));
        await edits.RecordAsync(new(name, revision, author, bytes.Length), async () =>
        {
            await DurableFile.WriteAsync(root, PathOf(name, revision), file => file.WriteAsync(bytes).AsTask());
            await DurableFile.WriteAsync(root, PathOf(name), file => file.WriteAsync(bytes).AsTask());
        });
        cell.LastRevision = revision;
        return revision;
    }

    /// <summary>The files decide; what is remembered only saves listing them.</summary>
    private int LastRevision(PageName name, Cell cell)
    {
        var last = cell.LastRevision;
        if (last == 0 || !File.Exists(PathOf(name, last)) || File.Exists(PathOf(name, last + 1)))
        {
            var directory = new DirectoryInfo(Path.Combine(root.History, name.Text));
            last = directory.Exists
                ? directory.EnumerateFiles("*.md").Select(file => int.TryParse(Path.GetFileNameWithoutExtension(file.Name), out var number) ? number : 0).DefaultIfEmpty().Max()
                : 0;
            cell.LastRevision = last;
        }

        return last;
    }

    /// <summary>One at a time per page.</summary>
    private sealed class Cell : IDisposable
    {
        private readonly SemaphoreSlim _gate = new(1, 1);

        public int LastRevision { get; set; }

        public async Task<Hold> HoldAsync()
        {
            await _gate.WaitAsync();
            return new(this);
        }

        public void Release() => _gate.Release();

        public void Dispose() => _gate.Dispose();
    }

    private readonly record struct Hold(Cell Cell) : IDisposable
    {
        public void Dispose() => Cell.Release();
    }
}
