using System.Text;
using CsCheck;
using Mirror.Primary.Capture;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Tests.Capture.Ignore;

/// <summary>The patterns mean exactly what they mean to git: which one decides, for every path of a tree, for lists of patterns nobody would write.</summary>
public sealed class GitIgnoreTests : IDisposable
{
    private static readonly string[] names = ["a", "b", "ab", "a.b", "a b", "!a", "#a", "[a]", "\\a", "a*", "aéb", " a", "b-"];

    private readonly GitCheckIgnore git = new();

    public void Dispose() => git.Dispose();

    [GitFact]
    public void Which_pattern_decides_is_what_git_says()
    {
        var paths = MakeTree();
        Gen.OneOf(Gen.Char["ab*?[]!^-\\/# .é"].Array[0, 7].Select(static text => new string(text)), Likely).Array[1, 6].Sample(
            patterns => AssertSame(patterns, paths),
            iter: 400,
            threads: 1,
            print: static patterns => string.Join("\n", patterns.Select(static pattern => $"\"{pattern}\"")));
    }

    [GitFact]
    public void Every_byte_is_of_the_classes_that_git_puts_it_in()
    {
        // None of them needs to be there; a colon would be git's own syntax for paths.
        var bytes = Enumerable.Range(1, 255).Where(static value => value is not '/' and not '.' and not ':').Select(static value => EntryPath.Parse([(byte)value])).ToList();
        foreach (var name in (string[])["alnum", "alpha", "blank", "cntrl", "digit", "graph", "lower", "print", "punct", "space", "upper", "xdigit", "none", ""])
        {
            AssertSame([$"[[:{name}:]]"], bytes);
            AssertSame([$"[![:{name}:]a]"], bytes);
        }

        AssertSame(["?"], bytes);
        AssertSame(["[^a]"], bytes);
        AssertSame(["[!\\]-a]"], bytes);
    }

    // Patterns as people write them, for names that are there.
    private static Gen<string> Likely { get; } =
        Gen.Select(
            OneOf("", "!", "/", "!/", "**/", "\\"),
            OneOf([.. names, "**", "*", "?", "a?", "*b", "[ab]", "[!a]*", "a**", "**b", "\\[a]", "\\#a", "***"]).Array[1, 4],
            OneOf("", "", "/", "/**", "/*", " ", "\\ ", "  "),
            static (before, parts, after) => before + string.Join('/', parts) + after);

    private static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(at => texts[at]);

    private void AssertSame(string[] patterns, IReadOnlyList<EntryPath> paths)
    {
        var filter = new PathFilter([], patterns);
        var expected = git.Decide([.. patterns.Select(Encoding.UTF8.GetBytes)], paths);
        for (var i = 0; i < paths.Count; i++)
        {
            var full = Path.Combine(git.Root, paths[i].ToString());
            var decision = filter.Explain(paths[i], Directory.Exists(full) ? EntryType.Directory : EntryType.File);
            Assert.True(
                expected[i] == (decision.Pattern ?? -1),
                $"{paths[i]}: git goes by {Shown(expected[i])}, we by {Shown(decision.Pattern ?? -1)}, in\n{string.Join('\n', patterns)}");
            Assert.Equal(expected[i] >= 0 && !patterns[expected[i]].StartsWith('!'), decision.IsExcluded);
        }

        string Shown(int index) => index < 0 ? "none" : $"\"{patterns[index]}\"";
    }

    // Every name as a file, and as a directory with every other in it, and one more level.
    private List<EntryPath> MakeTree()
    {
        var paths = new List<EntryPath>();
        foreach (var top in names)
        {
            var directory = $"d/{top}";
            Directory.CreateDirectory(Path.Combine(git.Root, top));
            Directory.CreateDirectory(Path.Combine(git.Root, directory));
            foreach (var name in names)
            {
                Directory.CreateDirectory(Path.Combine(git.Root, $"{top}/b{name}"));
                File.WriteAllText(Path.Combine(git.Root, $"{top}/{name}"), "");
                File.WriteAllText(Path.Combine(git.Root, $"{top}/b{name}/a"), "");
                File.WriteAllText(Path.Combine(git.Root, $"{directory}/{name}"), "");
            }
        }

        foreach (var found in TreeScanner.Scan(git.Root, static (path, _) => path == EntryPath.Parse(".git"), CancellationToken.None).Entries)
        {
            if (!found.Entry.Path.IsRoot)
            {
                paths.Add(found.Entry.Path);
            }
        }

        return paths;
    }
}
