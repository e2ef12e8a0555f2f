namespace Mirror.Primary.Tests.Torture;

/// <summary>A set of paths one of which can be drawn, in a way that depends on nothing but what was put in and taken out.</summary>
internal sealed class PathBag
{
    private readonly List<string> paths = [];
    private readonly Dictionary<string, int> places = new(StringComparer.Ordinal);

    public int Count => paths.Count;

    public IReadOnlyList<string> All => paths;

    public bool Contains(string path) => places.ContainsKey(path);

    public void Add(string path)
    {
        places.Add(path, paths.Count);
        paths.Add(path);
    }

    public bool Remove(string path)
    {
        if (!places.Remove(path, out var place))
        {
            return false;
        }

        var last = paths[^1];
        paths.RemoveAt(paths.Count - 1);
        if (place < paths.Count)
        {
            paths[place] = last;
            places[last] = place;
        }

        return true;
    }

    public string? Draw(Random random) => paths.Count == 0 ? null : paths[random.Next(paths.Count)];

    /// <summary>What lies at or below a path lies at or below another one now.</summary>
    public void Move(string from, string to)
    {
        foreach (var path in paths.Where(path => IsWithin(path, from)).ToList())
        {
            Remove(path);
            Add(to + path[from.Length..]);
        }
    }

    public static bool IsWithin(string path, string directory) => path == directory || path.StartsWith(directory + "/", StringComparison.Ordinal);
}
