using System.Xml.Linq;
using Mirror.Testing;

namespace Mirror.Cli.Tests.House;

/// <summary>The arrows of ARCHITECTURE.md, asserted. A new arrow is a decision, made here.</summary>
public sealed class ArrowsTests
{
    private static readonly Dictionary<string, string[]> allowed = new()
    {
        ["Delta"] = [],
        ["Store"] = ["Delta"],
        ["Node"] = [],
        ["Leadership"] = ["Node"],
        ["Primary"] = ["Leadership", "Node", "Store"],
        ["Replica"] = ["Leadership", "Node", "Store"],
        ["Proxy"] = ["Leadership", "Node"],
        ["Cli"] = ["Primary", "Proxy", "Replica"],
        ["Native"] = ["Cli"],
    };

    [Fact]
    public void Projects_depend_only_along_the_drawn_arrows()
    {
        var found = Directory.GetDirectories(Checkout.Path("src")).ToDictionary(
            directory => Path.GetFileName(directory),
            directory => References(Directory.GetFiles(directory, "*.csproj").Single()));

        Assert.Equal(allowed.Keys.Order(), found.Keys.Order());
        Assert.All(found, project => Assert.Equal(allowed[project.Key], project.Value.Order()));
    }

    [Fact]
    public void The_deciding_core_knows_no_clock_no_disk_no_network()
    {
        string[] forbidden = ["Akka", "Grpc", "System.IO", "File.", "TimeProvider", "DateTime", "Stopwatch", "Task", "ILogger", "Mirror.Node"];
        var sources = Directory.GetFiles(Checkout.Path("src", "Leadership", "Core"), "*.cs", SearchOption.AllDirectories);

        Assert.NotEmpty(sources);
        Assert.All(sources, source =>
        {
            var code = File.ReadLines(source).Where(line => !line.TrimStart().StartsWith("//", StringComparison.Ordinal));
            Assert.All(code, line => Assert.DoesNotContain(forbidden, word => line.Contains(word, StringComparison.Ordinal)));
        });
    }

    [Fact]
    public void Nothing_is_named_for_having_no_home()
    {
        string[] homeless = ["Common", "Utils", "Util", "Helpers", "Manager", "Misc", "Shared"];
        var names = Directory.EnumerateDirectories(Checkout.Path("src"), "*", SearchOption.AllDirectories)
            .Where(directory => !directory.Contains("/obj", StringComparison.Ordinal) && !directory.Contains("/bin", StringComparison.Ordinal))
            .Select(directory => Path.GetFileName(directory));

        Assert.All(names, name => Assert.DoesNotContain(homeless, word => name.EndsWith(word, StringComparison.Ordinal)));
    }

    [Fact]
    public void Paths_named_in_the_documents_exist()
    {
        string[] documents = ["README.md", "ARCHITECTURE.md"];
        Assert.All(documents, document =>
        {
            var links = System.Text.RegularExpressions.Regex.Matches(File.ReadAllText(Checkout.Path(document)), @"\]\((?<path>[^)#:]+)\)");
            Assert.NotEmpty(links);
            Assert.All(links, link => Assert.True(Path.Exists(Checkout.Path(link.Groups["path"].Value)), $"{document} names {link.Groups["path"].Value}"));
        });
    }

    private static IEnumerable<string> References(string project) =>
        XDocument.Load(project).Descendants("ProjectReference").Select(reference => Path.GetFileName(Path.GetDirectoryName(reference.Attribute("Include")!.Value)!));
}
