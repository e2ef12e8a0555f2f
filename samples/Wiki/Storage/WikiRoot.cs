namespace Wiki.Storage;

/// <summary>The directories of a wiki.</summary>
public sealed class WikiRoot
{
    private WikiRoot(string path)
    {
        Pages = Make(path, "pages");
        History = Make(path, "history");
        Uploads = Make(path, "uploads");
        Temporary = Path.Combine(path, "tmp");
        DatabaseFile = Path.Combine(Make(path, "data"), "wiki.db");
    }

    /// <summary>NAME.md, one file a page.</summary>
    public string Pages { get; }

    /// <summary>NAME/000001.md and so on, every page as it was saved.</summary>
    public string History { get; }

    public string Uploads { get; }

    /// <summary>Files being written; of no worth after a restart. Made when first needed.</summary>
    public string Temporary { get; }

    public string DatabaseFile { get; }

    public static WikiRoot Open(string path) => new(Path.GetFullPath(path));

    private static string Make(string root, string name) => Directory.CreateDirectory(Path.Combine(root, name)).FullName;
}
