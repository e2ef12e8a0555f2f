namespace Mirror.Node.Configuration;

/// <summary>Faults and warnings found so far, and where each key stands, so that a rule which compares keys can point at one.</summary>
internal sealed class FaultList(string file)
{
    private readonly Dictionary<string, string> _places = [];

    public List<ConfigFault> Faults { get; } = [];

    public List<ConfigFault> Warnings { get; } = [];

    public void Place(string key, string where) => _places[key] = where;

    public void Add(string key, string what, string remedy) => AddAt(WhereIs(key), key, what, remedy);

    public void AddAt(string where, string key, string what, string remedy) => Faults.Add(new ConfigFault(where, key, what, remedy));

    public void Warn(string key, string what, string remedy) => Warnings.Add(new ConfigFault(WhereIs(key), key, what, remedy));

    /// <summary>The place of the key, or of the nearest thing around it that has one.</summary>
    public string WhereIs(string key)
    {
        for (var path = key; path.Length > 0; path = path[..Math.Max(0, path.LastIndexOfAny(['.', '[']))])
        {
            if (_places.TryGetValue(path, out var where))
            {
                return where;
            }
        }

        return $"{file}:1:1";
    }
}
