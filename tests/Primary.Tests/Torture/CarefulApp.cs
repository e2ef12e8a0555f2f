using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Mirror.Store.Tree;
using Mirror.Store.Manifests;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Torture;

/// <summary>
/// An app that does everything right, so that a version of its files may be held to something although it is made while the app writes, without a snapshot of the disk:
/// <list type="bullet">
/// <item>What is written beside and renamed into place is whole: content, mode, time and attribute of a record belong together. It is never absent.</item>
/// <item>What is only appended to is a beginning of what it becomes, and never shorter than in the version before.</item>
/// <item>What refers to something is written after it (a link to a directory with all its files). A walk meets references before what they refer to here: then no version holds one that leads nowhere. A look at what was
/// touched may hold one whose other end came a moment too late; then that is in the next version.</item>
/// <item>What nobody touches is there.</item>
/// </list>
/// Two files that are changed one after the other are of two moments in a version, as in every copy of a tree in use: nothing is claimed of them.
/// </summary>
internal sealed class CarefulApp
{
    private const int records = 12;
    private const int still = 40;
    private const string attribute = "user.number";

    private static readonly byte[] noise = LiveSite.Noise(98, 200_000);

    private readonly string root;
    private readonly Random random;
    private long log;
    private long generation;
    private long written;

    /// <param name="root">A directory that is made.</param>
    public CarefulApp(string root, int seed)
    {
        this.root = root;
        random = new Random(seed);
        foreach (var directory in new[] { "", "records", "still", "set" })
        {
            Directory.CreateDirectory(Path.Combine(root, directory));
        }

        for (var number = 0; number < still; number++)
        {
            File.WriteAllText(StillPath(root, number), $"{number}");
        }

        for (var number = 0; number < records; number++)
        {
            Record(number);
        }

        Append();
        Generation();
    }

    public void Step()
    {
        switch (random.Next(12))
        {
            case 0:
                Generation();
                break;
            case < 4:
                Append();
                break;
            default:
                Record(random.Next(records));
                break;
        }
    }

    /// <summary>Holds a copy of the app's files, of whatever moment, to what is promised.</summary>
    /// <param name="walked">All of it was walked through for this version.</param>
    /// <param name="log">Length of the log in the version before; what it is in this one is returned.</param>
    public static long Check(string copy, string what, bool walked, long log)
    {
        for (var number = 0; number < still; number++)
        {
            Assert.True(File.Exists(StillPath(copy, number)) && File.ReadAllText(StillPath(copy, number)) == $"{number}", $"{what}: still/{number} was never touched, and is not there as it was");
        }

        for (var number = 0; number < records; number++)
        {
            CheckRecord(copy, RecordName(number), what);
        }

        var set = new FileInfo(Path.Combine(copy, "current")).LinkTarget;
        Assert.True(set is not null, $"{what}: the link \"current\" is gone");
        var (left, right) = (Path.Combine(copy, set!, "left"), Path.Combine(copy, set!, "right"));
        Assert.True(!walked || (File.Exists(left) && File.Exists(right)), $"{what}: current leads to {set}, which is not complete");
        Assert.True(!walked || File.ReadAllText(left) == File.ReadAllText(right), $"{what}: {set} is torn");
        return CheckLog(Path.Combine(copy, "log"), what, log);
    }

    private static void CheckRecord(string copy, string name, string what)
    {
        var path = Path.Combine(copy, name);
        Assert.True(File.Exists(path), $"{what}: {name} is missing, though there was one at every moment");
        var content = File.ReadAllBytes(path);
        var end = Array.IndexOf(content, (byte)'\n');
        Assert.True(end > 0, $"{what}: {name} is torn");
        var fields = Encoding.ASCII.GetString(content, 0, end).Split(' ');
        Assert.True(fields[3] == Convert.ToHexString(SHA256.HashData(content.AsSpan(end + 1))), $"{what}: {name} is torn: its content is not that of its own digest");
        var entry = TreeScanner.Scan(Path.GetDirectoryName(path)!, (other, _) => other != EntryPath.Parse(Path.GetFileName(name)), CancellationToken.None).Entries[1].Entry;
        var number = entry.Xattrs.FirstOrDefault(static one => one.Name == attribute) is { } found ? Encoding.ASCII.GetString(found.Value) : "none";
        Assert.True(
            fields[0] == number && fields[1] == Convert.ToString(entry.Mode, 8) && fields[2] == entry.MtimeUnixNs.ToString(CultureInfo.InvariantCulture),
            $"{what}: {name} has the content of one file and the metadata of another: number {fields[0]}, mode {fields[1]}, time {fields[2]} say the bytes; number {number}, mode {Convert.ToString(entry.Mode, 8)}, time {entry.MtimeUnixNs} the entry");
    }

    private static long CheckLog(string path, string what, long before)
    {
        var text = File.ReadAllText(path);
        Assert.True(text.Length >= before, $"{what}: the log is {text.Length} long, and was {before} in the version before");
        var lines = text.Split('\n');
        for (var number = 0; number < lines.Length; number++)
        {
            var expected = Line(number);
            Assert.True(
                number < lines.Length - 1 ? lines[number] == expected : expected.StartsWith(lines[number], StringComparison.Ordinal), $"{what}: line {number} of the log is \"{lines[number]}\"");
        }

        return text.Length;
    }

    /// <summary>Content, mode, time and attribute belong together, and come into being together, by one rename.</summary>
    private void Record(int number)
    {
        written++;
        var body = noise.AsSpan(random.Next(10_000), random.Next(10) == 0 ? random.Next(150_000) : random.Next(3000));
        var mode = (uint)(0x180 | (random.Next(8) << 3) | random.Next(8));
        var time = random.NextInt64(1_000_000_000_000_000_000, 1_700_000_000_000_000_000);
        var path = Path.Combine(root, RecordName(number));
        var pending = path + ".new";
        var head = string.Create(CultureInfo.InvariantCulture, $"{written} {Convert.ToString(mode, 8)} {time} {Convert.ToHexString(SHA256.HashData(body))}\n");
        File.WriteAllBytes(pending, [.. Encoding.ASCII.GetBytes(head), .. body]);
        RawCalls.SetAttribute(pending, attribute, Encoding.ASCII.GetBytes(written.ToString(CultureInfo.InvariantCulture)));
        RawCalls.ChangeMode(pending, mode);
        RawCalls.SetModified(pending, time);
        RawCalls.Rename(pending, path);
    }

    private void Append()
    {
        var text = new StringBuilder();
        for (var lines = random.Next(1, 30); lines > 0; lines--)
        {
            text.Append(Line(log++)).Append('\n');
        }

        File.AppendAllText(Path.Combine(root, "log"), text.ToString());
    }

    private void Generation()
    {
        generation++;
        var set = string.Create(CultureInfo.InvariantCulture, $"set/{generation}");
        Directory.CreateDirectory(Path.Combine(root, set));
        File.WriteAllText(Path.Combine(root, set, "left"), $"{generation}");
        File.WriteAllText(Path.Combine(root, set, "right"), $"{generation}");
        var pending = Path.Combine(root, "current.new");
        RawCalls.Symlink(set, pending);
        RawCalls.Rename(pending, Path.Combine(root, "current"));
    }

    private static string Line(long number) => string.Create(CultureInfo.InvariantCulture, $"{number} {(number * 7919) % 104729}");

    private static string RecordName(int number) => $"records/{number}";

    private static string StillPath(string root, int number) => Path.Combine(root, "still", $"{number}");
}
