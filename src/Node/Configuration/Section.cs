using System.Globalization;
using System.Text.RegularExpressions;

namespace Mirror.Node.Configuration;

/// <summary>
/// A map of the file being read key by key, each as the type it must have. A bad value becomes a fault and a harmless stand-in, so that reading goes on;
/// <see cref="Close"/> reports the keys nobody asked for.
/// </summary>
internal sealed partial class Section(YamlMap map, IReadOnlyList<string> path, FaultList faults, Overrides overrides, bool broken = false)
{
    private readonly List<string> _asked = [];

    private string Key => string.Join('.', path);

    public static bool IsName(string text) => NamePattern().IsMatch(text);

    public bool Has(string key) => Find(key) is not null;

    /// <param name="fallback">Null: the key must be there.</param>
    public string Text(string key, string? fallback = null)
    {
        switch (Find(key))
        {
            case YamlScalar { IsNull: false, Text: var text } when text.Trim().Length > 0:
                if (text.AsSpan().IndexOfAnyInRange('\0', '\x1f') < 0)
                {
                    return text;
                }

                Fault(key, "The value holds a control character.", "Remove it.");
                return fallback ?? "";
            case null:
                return fallback ?? Missing(key);
            case YamlScalar:
                Fault(key, "The value is empty.", "Give it a value, or remove the key to have its default.");
                return fallback ?? "";
            case var other:
                Fault(key, $"This is {other.Kind}; a single value is expected.", $"Write `{key}: value`.");
                return fallback ?? "";
        }
    }

    public TimeSpan Duration(string key, TimeSpan fallback, TimeSpan least, TimeSpan most) => Parsed(key, fallback, text =>
    {
        if (!Durations.TryParse(text, out var value))
        {
            Fault(key, $"'{text}' is not a duration.", "Write a number and a unit: 200ms, 4s, 5m, 1h.");
            return fallback;
        }

        return Bounded(key, text, value, fallback, least, most, Durations.Format);
    });

    public int Integer(string key, int fallback, int least, int most) => Parsed(key, fallback, text =>
    {
        if (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var value))
        {
            Fault(key, $"'{text}' is not a whole number.", $"Write a number from {least} to {most}.");
            return fallback;
        }

        return Bounded(key, text, value, fallback, least, most, number => number.ToString(CultureInfo.InvariantCulture));
    });

    /// <summary>Bytes as people write them: <c>50G</c>, <c>512M</c>; each unit is 1,024 of the one before.</summary>
    public long Size(string key, long fallback, long least, long most) => Parsed(key, fallback, text =>
    {
        if (!Sizes.TryParse(text, out var value))
        {
            Fault(key, $"'{text}' is not a size.", "Write a whole number and a unit: 512M, 50G, 2T.");
            return fallback;
        }

        return Bounded(key, text, value, fallback, least, most, Sizes.Format);
    });

    /// <summary>A part of the whole, as people write it: <c>50%</c>. From 1% to 100%.</summary>
    public double Share(string key, double fallback) => Parsed(key, fallback, text =>
    {
        if (!text.EndsWith('%') || !int.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var percent))
        {
            Fault(key, $"'{text}' is not a share.", "Write whole percent: 50%.");
            return fallback;
        }

        return Bounded(key, text, percent, (int)(fallback * 100), 1, 100, static value => $"{value}%") / 100.0;
    });

    public int Port(string key, int fallback) => Integer(key, fallback, 1, 65535);

    public PortRange Ports(string key, PortRange fallback) => Parsed(key, fallback, text =>
    {
        var match = RangePattern().Match(text);
        if (match.Success
            && int.TryParse(match.Groups[1].Value, CultureInfo.InvariantCulture, out var first)
            && int.TryParse(match.Groups[2].Value, CultureInfo.InvariantCulture, out var last)
            && first is >= 1 and <= 65535 && last is >= 1 and <= 65535 && first <= last)
        {
            return new PortRange(first, last);
        }

        Fault(key, $"'{text}' is not a range of ports.", "Write the first and the last port, from 1 to 65535: 20000-20999.");
        return fallback;
    });

    public bool Flag(string key, bool fallback) => Parsed(key, fallback, text =>
    {
        if (text is "true" or "false")
        {
            return text == "true";
        }

        Fault(key, $"'{text}' is neither true nor false.", "Write true or false.");
        return fallback;
    });

    /// <summary>An absolute path without <c>.</c>, <c>..</c> or a slash at the end, in which <c>{node}</c> is the only placeholder.</summary>
    public string AbsolutePath(string key, string? fallback = null)
    {
        var before = faults.Faults.Count;
        var text = Text(key, fallback);
        if (faults.Faults.Count > before || text.Length == 0)
        {
            return text;
        }

        if (!text.StartsWith('/'))
        {
            Fault(key, $"'{text}' is not an absolute path.", "Write it from the root on, e.g. /srv/wiki: daemons have no useful current directory.");
        }
        else if (text.Split('/').Any(part => part is "." or ".."))
        {
            Fault(key, $"'{text}' holds '.' or '..'.", "Write the path without them.");
        }
        else if (PlaceholderPattern().Matches(text).FirstOrDefault(match => match.Value != "{node}") is { } placeholder)
        {
            Fault(key, $"{placeholder.Value} means nothing here.", "The only placeholder in paths is {node}, the name of the node.");
        }

        return text.Length > 1 ? text.TrimEnd('/') : text;
    }

    /// <summary>A list of texts; empty when absent and not required.</summary>
    public IReadOnlyList<string> Texts(string key, bool required = false)
    {
        var node = Find(key);
        switch (node)
        {
            case YamlScalar { IsNull: false } scalar when OverrideOf(key) is not null:
                return Listed(key, scalar);
            case YamlList list:
                return TextsOf(key, list, required);
            case null or YamlScalar { IsNull: true }:
                if (required)
                {
                    Missing(key);
                }

                return [];
            default:
                Fault(key, $"This is {node.Kind}; a list is expected.", $"Write `{key}: [one, two]`.");
                return [];
        }
    }

    /// <summary>Free names and values, such as an environment.</summary>
    public IReadOnlyDictionary<string, string> Pairs(string key)
    {
        var result = new Dictionary<string, string>(StringComparer.Ordinal);
        switch (Find(key))
        {
            case YamlMap pairs:
                foreach (var pair in pairs.Pairs)
                {
                    IReadOnlyList<string> inner = [.. path, key, pair.Key];
                    faults.Place(string.Join('.', inner), pair.Where);
                    if (overrides.Find(inner, faults) is { } over)
                    {
                        result[pair.Key] = over.Text;
                    }
                    else if (pair.Value is YamlScalar { IsNull: var nothing, Text: var text })
                    {
                        result[pair.Key] = nothing ? "" : text;
                    }
                    else
                    {
                        faults.Add(string.Join('.', inner), $"This is {pair.Value.Kind}; a single value is expected.", $"Write `{pair.Key}: value`.");
                    }
                }

                break;
            case null or YamlScalar { IsNull: true }:
                break;
            case var other:
                Fault(key, $"This is {other.Kind}; a map of names and values is expected.", $"Write `{key}: {{ NAME: value }}`.");
                break;
        }

        return result;
    }

    /// <summary>A section inside this one. When absent it is empty: its own required keys are then reported, unless the environment gives them.</summary>
    public Section Child(string key) => Inner(key, Find(key) ?? new YamlMap(faults.WhereIs(KeyOf(key)), []));

    /// <summary>Named sections, in the order of the file. Bad names are reported and skipped.</summary>
    public IReadOnlyList<(string Name, Section Section)> Children(string key)
    {
        switch (Find(key))
        {
            case YamlMap children:
                var result = new List<(string, Section)>();
                foreach (var pair in children.Pairs)
                {
                    faults.Place($"{KeyOf(key)}.{pair.Key}", pair.Where);
                    if (!IsName(pair.Key))
                    {
                        faults.Add($"{KeyOf(key)}.{pair.Key}", $"'{pair.Key}' cannot be a name.", "Names are 1 to 63 of a-z, 0-9 and '-', and begin with a letter or digit.");
                    }

                    result.Add((pair.Key, new Section(map, [.. path, key], faults, overrides).Inner(pair.Key, pair.Value)));
                }

                return result;
            case null or YamlScalar { IsNull: true }:
                return [];
            case var other:
                Fault(key, $"This is {other.Kind}; a map from names to their settings is expected.", $"Write `{key}:`, and below it, indented, `name: {{ … }}`.");
                return [];
        }
    }

    public void Close()
    {
        foreach (var pair in map.Pairs.Where(pair => !_asked.Contains(pair.Key)))
        {
            faults.AddAt(pair.Where, KeyOf(pair.Key), "There is no such key.", Spelling.Suggest(pair.Key, _asked));
        }
    }

    public void FaultHere(string what, string remedy)
    {
        if (!broken)
        {
            faults.Add(Key, what, remedy);
        }
    }

    public void Fault(string key, string what, string remedy) => faults.Add(KeyOf(key), what, remedy);

    private Section Inner(string key, YamlNode node)
    {
        IReadOnlyList<string> inner = [.. path, key];
        if (node is YamlMap child)
        {
            return new Section(child, inner, faults, overrides);
        }

        var empty = node is YamlScalar { IsNull: true };
        if (!empty)
        {
            faults.Add(string.Join('.', inner), $"This is {node.Kind}; a map of keys is expected.", $"Write `{key}: {{ … }}`, or the keys below it, indented.");
        }

        return new Section(new YamlMap(node.Where, []), inner, faults, overrides, broken: !empty);
    }

    private YamlNode? Find(string key)
    {
        if (!_asked.Contains(key))
        {
            _asked.Add(key);
        }

        var pair = map.Find(key);
        var node = OverrideOf(key) ?? pair?.Value;
        if (node is not null)
        {
            // For a map or list the place of its key says more than that of its first element.
            faults.Place(KeyOf(key), node is YamlScalar ? node.Where : pair!.Where);
        }

        return node;
    }

    private YamlScalar? OverrideOf(string key) => overrides.Find([.. path, key], faults);

    private string KeyOf(string key) => string.Join('.', path.Append(key));

    private T Parsed<T>(string key, T fallback, Func<string, T> parse)
    {
        var before = faults.Faults.Count;
        var text = Text(key, "");
        return text.Length == 0 || faults.Faults.Count > before ? fallback : parse(text.Trim());
    }

    private T Bounded<T>(string key, string text, T value, T fallback, T least, T most, Func<T, string> format) where T : IComparable<T>
    {
        if (value.CompareTo(least) >= 0 && value.CompareTo(most) <= 0)
        {
            return value;
        }

        Fault(key, $"{text} is out of bounds.", $"Write a value from {format(least)} to {format(most)}.");
        return fallback;
    }

    private string Missing(string key)
    {
        if (!broken)
        {
            Fault(key, "This key is missing.", $"Add `{key}:`; docs/mirror.example.yaml shows how.");
        }

        return "";
    }

    private IReadOnlyList<string> Listed(string key, YamlScalar scalar)
    {
        if (YamlTree.ReadFlowList(scalar.Text) is { } items)
        {
            return items;
        }

        Fault(key, $"'{scalar.Text}' is not a list.", "Write values with commas between them, or [\"one\", \"two\"].");
        return [];
    }

    private IReadOnlyList<string> TextsOf(string key, YamlList list, bool required)
    {
        var items = new List<string>();
        for (var i = 0; i < list.Items.Count; i++)
        {
            var item = list.Items[i];
            faults.Place($"{KeyOf(key)}[{i}]", item.Where);
            if (item is YamlScalar { IsNull: false } scalar && scalar.Text.Length > 0 && !scalar.Text.Contains('\0'))
            {
                items.Add(scalar.Text);
            }
            else
            {
                faults.Add($"{KeyOf(key)}[{i}]", $"This is {(item is YamlScalar ? "empty" : item.Kind)}; a single value is expected.", "Write a text.");
                items.Add("");
            }
        }

        if (required && items.Count == 0)
        {
            Fault(key, "The list is empty.", "Name at least one.");
        }

        return items;
    }

    [GeneratedRegex("^[a-z0-9][a-z0-9-]{0,62}\\z", RegexOptions.CultureInvariant)]
    private static partial Regex NamePattern();

    [GeneratedRegex("^([0-9]{1,5}) *- *([0-9]{1,5})\\z", RegexOptions.CultureInvariant)]
    private static partial Regex RangePattern();

    [GeneratedRegex("\\{[^}]*\\}", RegexOptions.CultureInvariant)]
    private static partial Regex PlaceholderPattern();
}
