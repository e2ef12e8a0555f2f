using Wiki.Storage;

namespace Wiki.Uploads;

/// <summary>Files people attach. Their names keep to letters, digits, <c>.</c>, <c>_</c> and <c>-</c>, and don't begin with a point.</summary>
public sealed class UploadStore(WikiRoot root)
{
    public const long MaxBytes = 25 << 20;

    public static bool IsName(string? name) =>
        name is { Length: > 0 and <= 120 } && name[0] != '.' && name.All(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-');

    /// <summary>The nearest allowed name.</summary>
    public static string Clean(string name)
    {
        var clean = new string([.. Path.GetFileName(name.Replace('\\', '/')).Select(c => char.IsAsciiLetterOrDigit(c) || c is '.' or '_' or '-' ? c : '_')]).TrimStart('.');
        return clean.Length <= 120 ? clean : clean[^120..].TrimStart('.');
    }

    public IEnumerable<FileInfo> All() => new DirectoryInfo(root.Uploads).EnumerateFiles().Where(file => IsName(file.Name)).OrderBy(file => file.Name, StringComparer.OrdinalIgnoreCase);

    public FileInfo? Find(string name) => IsName(name) && new FileInfo(Path.Combine(root.Uploads, name)) is { Exists: true } file ? file : null;

    public Task SaveAsync(string name, IFormFile file) => DurableFile.WriteAsync(root, Path.Combine(root.Uploads, name), stream => file.CopyToAsync(stream));
}
