using YamlDotNet.Core;
using YamlDotNet.Core.Events;

namespace Mirror.Node.Configuration;

// A YAML file as a small tree in which every value knows its place. Faults are collected rather than thrown, so that one run of the program
// names all that is wrong. Only what a configuration needs is understood: maps, lists and scalars; no anchors, no tags, one document.

internal abstract record YamlNode(string Where)
{
    public abstract string Kind { get; }
}

/// <param name="IsNull">Written as nothing, <c>~</c> or <c>null</c>.</param>
internal sealed record YamlScalar(string Where, string Text, bool IsNull) : YamlNode(Where)
{
    public override string Kind => IsNull ? "empty" : "a single value";
}

internal sealed record YamlList(string Where, IReadOnlyList<YamlNode> Items) : YamlNode(Where)
{
    public override string Kind => "a list";
}

/// <summary>Keys in the order of the file.</summary>
internal sealed record YamlMap(string Where, IReadOnlyList<YamlPair> Pairs) : YamlNode(Where)
{
    public override string Kind => "a map of keys";

    public YamlPair? Find(string key) => Pairs.FirstOrDefault(pair => pair.Key == key);
}

internal sealed record YamlPair(string Key, string Where, YamlNode Value);

internal sealed class YamlTree
{
    private const int DeepestNesting = 16;
    private readonly Scanner _scanner;
    private readonly IParser _parser;
    private readonly string _file;
    private readonly List<ConfigFault> _faults;

    private YamlTree(string text, string file, List<ConfigFault> faults)
    {
        _scanner = new Scanner(new StringReader(text), skipComments: true);
        _parser = new Parser(_scanner);
        _file = file;
        _faults = faults;
    }

    /// <summary>The document's top map; null when there is none or the text is not YAML (the fault is added).</summary>
    public static YamlMap? Read(string text, string file, List<ConfigFault> faults)
    {
        var tree = new YamlTree(text, file, faults);
        try
        {
            return tree.ReadDocument();
        }
        catch (Exception exception) when (exception is InvalidOperationException or ArgumentException)
        {
            // The library itself, on some plain words and some tags; it does not say where.
            faults.Add(new ConfigFault(
                tree.Place(tree._scanner.CurrentPosition), "(syntax)", $"This is not valid YAML: {Sentence(exception.Message)}",
                "Check indentation, colons and quotes on this line and the one above it, and quote words with odd characters."));
            return null;
        }
        catch (YamlException exception)
        {
            // The exception may carry the place where the broken construct began, or none; what is wrong is where reading stopped.
            var stopped = tree._scanner.CurrentPosition;
            faults.Add(new ConfigFault(
                tree.Place(exception.Start.Index > 0 ? exception.Start : stopped), "(syntax)", $"This is not valid YAML: {Sentence(exception.Message)}",
                "Check indentation, colons and quotes on this line and the one above it."));
            return null;
        }
    }

    /// <summary>A list of texts from an environment variable: <c>[a, b]</c> as in the file, or <c>a,b</c>.</summary>
    public static IReadOnlyList<string>? ReadFlowList(string text)
    {
        if (!text.TrimStart().StartsWith('['))
        {
            return text.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        }

        try
        {
            var tree = new YamlTree(text, "", []);
            tree._parser.Consume<StreamStart>();
            tree._parser.Consume<DocumentStart>();
            return tree.ReadNode("", 0) is YamlList list && tree._faults.Count == 0 && list.Items.All(item => item is YamlScalar { IsNull: false })
                ? [.. list.Items.Cast<YamlScalar>().Select(item => item.Text)]
                : null;
        }
        catch (Exception malformed) when (malformed is YamlException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }

    private YamlMap? ReadDocument()
    {
        _parser.Consume<StreamStart>();
        if (_parser.Accept<StreamEnd>(out _))
        {
            _faults.Add(new ConfigFault($"{_file}:1:1", "(file)", "The file is empty.", "Write one with `mirror init`, or start from docs/mirror.example.yaml."));
            return null;
        }

        _parser.Consume<DocumentStart>();
        var root = ReadNode("", 0);
        _parser.Consume<DocumentEnd>();
        if (_parser.Accept<DocumentStart>(out var second))
        {
            _faults.Add(new ConfigFault(Place(second.Start), "(file)", "A second document begins here.", "Remove the `---` line; one file holds one configuration."));
        }

        if (root is YamlMap map)
        {
            return map;
        }

        _faults.Add(new ConfigFault(root.Where, "(file)", $"The file is {root.Kind}; it must be a map of keys.", "Start with `cluster:`, as in docs/mirror.example.yaml."));
        return null;
    }

    private YamlNode ReadNode(string key, int depth)
    {
        var next = _parser.Current ?? throw new YamlException("The file ends unexpectedly.");
        var where = Place(next.Start);
        if (depth > DeepestNesting)
        {
            throw new YamlException(next.Start, next.End, "Maps and lists are nested too deeply.");
        }

        if (_parser.TryConsume<AnchorAlias>(out _))
        {
            _faults.Add(new ConfigFault(where, Named(key), "An alias (`*name`) stands here.", "Write the value out; anchors and aliases are not supported."));
            return new YamlScalar(where, "", IsNull: true);
        }

        if (_parser.TryConsume<Scalar>(out var scalar))
        {
            var plain = scalar.Style == ScalarStyle.Plain;
            return new YamlScalar(where, scalar.Value, plain && scalar.Value is "" or "~" or "null" or "Null" or "NULL");
        }

        if (_parser.TryConsume<SequenceStart>(out _))
        {
            var items = new List<YamlNode>();
            while (!_parser.TryConsume<SequenceEnd>(out _))
            {
                items.Add(ReadNode($"{key}[{items.Count}]", depth + 1));
            }

            return new YamlList(where, items);
        }

        _parser.Consume<MappingStart>();
        return ReadMap(key, where, depth);
    }

    private YamlMap ReadMap(string key, string where, int depth)
    {
        var pairs = new List<YamlPair>();
        while (!_parser.TryConsume<MappingEnd>(out _))
        {
            var name = ReadNode(key, depth + 1);
            var text = name is YamlScalar { IsNull: false } scalar ? scalar.Text : null;
            var path = key.Length == 0 ? text ?? "" : $"{key}.{text}";
            var value = ReadNode(path, depth + 1);
            if (text is null)
            {
                _faults.Add(new ConfigFault(name.Where, Named(key), $"A key is {name.Kind}.", "Keys are plain words."));
            }
            else if (pairs.Find(pair => pair.Key == text) is { } first)
            {
                _faults.Add(new ConfigFault(name.Where, path, $"The key stands twice; first at {first.Where}.", "Keep one of them."));
            }
            else
            {
                pairs.Add(new YamlPair(text, name.Where, value));
            }
        }

        return new YamlMap(where, pairs);
    }

    private string Place(Mark mark) => $"{_file}:{mark.Line}:{mark.Column}";

    private static string Named(string key) => key.Length == 0 ? "(file)" : key;

    private static string Sentence(string message) => message.TrimEnd().EndsWith('.') ? message.TrimEnd() : message.TrimEnd() + ".";
}
