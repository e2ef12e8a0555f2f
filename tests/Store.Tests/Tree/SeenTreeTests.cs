using System.Buffers.Binary;
using System.IO.Hashing;
using System.Net.Sockets;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;
using Mirror.Testing.Trees;

namespace Mirror.Store.Tests.Tree;

public sealed class SeenTreeTests : IDisposable
{
    private const string Name = "of v1";
    private const int CheckedFrom = 16;

    private readonly TemporaryDirectory temporary = new();

    public SeenTreeTests() => TreeLiteral.Empty
        .File("a/one", "1").File("a/two", "22").File("a.b/three", "333").File("top", "4").Symlink("link", "top").Hardlink("twin", "top").Directory("empty").Fifo("pipe")
        .WriteTo(temporary["t"]);

    public void Dispose() => temporary.Dispose();

    public static TheoryData<string> Changes => new(changes.Keys);

    private static readonly Dictionary<string, Action<string>> changes = new()
    {
        ["other content of the same size, its mtime put back"] = static root => WithMtimeKept($"{root}/a/one", path => File.WriteAllText(path, "9")),
        ["longer"] = static root => File.AppendAllText($"{root}/a.b/three", "x"),
        ["mode"] = static root => File.SetUnixFileMode($"{root}/a/two", UnixFileMode.UserRead),
        ["mode of the root"] = static root => File.SetUnixFileMode(root, UnixFileMode.UserRead | UnixFileMode.UserExecute | UnixFileMode.UserWrite | UnixFileMode.OtherWrite),
        ["new file"] = static root => File.WriteAllText($"{root}/empty/new", ""),
        ["new directory"] = static root => Directory.CreateDirectory($"{root}/a/c"),
        ["gone file"] = static root => File.Delete($"{root}/a/two"),
        ["gone directory"] = static root => Directory.Delete($"{root}/empty"),
        ["renamed"] = static root => File.Move($"{root}/a/two", $"{root}/a/tow"),
        ["swapped"] = static root =>
        {
            File.Move($"{root}/a/two", $"{root}/x");
            File.Move($"{root}/a/one", $"{root}/a/two");
            File.Move($"{root}/x", $"{root}/a/one");
        },
        ["replaced by a copy"] = static root => WithMtimeKept($"{root}/a/two", static path =>
        {
            File.Copy(path, path + ".new");
            File.Move(path + ".new", path, overwrite: true);
        }),
        ["link elsewhere"] = static root =>
        {
            File.Delete($"{root}/link");
            File.CreateSymbolicLink($"{root}/link", "twin");
        },
        ["a file in place of a directory"] = static root =>
        {
            Directory.Delete($"{root}/empty");
            File.WriteAllText($"{root}/empty", "");
        },
        ["everything"] = static root => Directory.Delete(root, recursive: true),
    };

    [Fact]
    public async Task A_tree_that_was_left_alone_is_still_so()
    {
        See().Write(temporary["seen"]);

        Assert.True(await IsStillSoAsync());
        Assert.Null(SeenTree.Read(temporary["seen"], "of v2"));
        Assert.Null(SeenTree.Read(temporary["none"], Name));
    }

    [Fact]
    public async Task A_tree_of_many_directories_is_still_so_until_one_file_deep_in_it_is_touched()
    {
        for (var i = 0; i < 300; i++)
        {
            Directory.CreateDirectory(temporary[$"t/deep/{i % 17}/{i}"]);
            await File.WriteAllTextAsync(temporary[$"t/deep/{i % 17}/{i}/file"], "");
        }

        See().Write(temporary["seen"]);
        Assert.True(await IsStillSoAsync());
        File.SetLastWriteTimeUtc(temporary["t/deep/5/39/file"], DateTime.UnixEpoch);
        Assert.False(await IsStillSoAsync());
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public async Task Whatever_changed_is_noticed(string change)
    {
        See().Write(temporary["seen"]);

        changes[change](temporary["t"]);

        Assert.False(await IsStillSoAsync());
    }

    [RootFact]
    public async Task An_attribute_is_noticed_and_an_owner()
    {
        See().Write(temporary["seen"]);
        Shell.Run("setfattr -n user.k -v v \"$1\"", temporary["t/a/one"]);
        Assert.False(await IsStillSoAsync());

        See().Write(temporary["seen"]);
        Shell.Run("chown 1 \"$1\"", temporary["t/top"]);
        Assert.False(await IsStillSoAsync());
    }

    [Fact]
    public async Task What_is_no_part_of_a_version_does_not_matter()
    {
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Bind(new UnixDomainSocketEndPoint(temporary["t/s"]));
        await File.WriteAllTextAsync(temporary["t/left-out"], "");

        See().Write(temporary["seen"]);
        Assert.True(await IsStillSoAsync());
        await File.WriteAllTextAsync(temporary["t/left-out"], "more");
        Assert.True(await IsStillSoAsync());
    }

    [Fact]
    public void Nothing_is_remembered_of_a_tree_in_which_one_entry_is_uncertain()
    {
        Assert.Null(SeenTree.From(Scan(), static found => found.Entry.Path.ToString() == "a/two" ? null : found.Stat, Name));
        Assert.Null(SeenTree.From(Scan(), static found => found.Entry.Path.IsRoot ? null : found.Stat, Name));
    }

    [Fact]
    public void A_damaged_one_is_not_believed_wherever_the_damage_is()
    {
        See().Write(temporary["seen"]);
        var whole = File.ReadAllBytes(temporary["seen"]);
        for (var at = 0; at < whole.Length; at++)
        {
            var damaged = whole.ToArray();
            damaged[at] ^= 0x10;
            File.WriteAllBytes(temporary["seen"], damaged);
            Assert.Null(SeenTree.Read(temporary["seen"], Name));
        }

        for (var length = 0; length < whole.Length; length += 7)
        {
            File.WriteAllBytes(temporary["seen"], whole[..length]);
            Assert.Null(SeenTree.Read(temporary["seen"], Name));
        }
    }

    [Fact]
    public async Task One_that_was_written_wrong_and_checks_out_is_a_no_and_never_a_failure()
    {
        See().Write(temporary["seen"]);
        var whole = await File.ReadAllBytesAsync(temporary["seen"]);
        var random = new Random(4711);
        var wrong = 0;
        for (var round = 0; round < 2000; round++)
        {
            var odd = whole.ToArray();
            for (var edits = random.Next(1, 4); edits > 0; edits--)
            {
                odd[random.Next(CheckedFrom, odd.Length)] = (byte)random.Next(256);
            }

            BinaryPrimitives.WriteUInt64LittleEndian(odd.AsSpan(8), XxHash3.HashToUInt64(odd.AsSpan(CheckedFrom)));
            await File.WriteAllBytesAsync(temporary["seen"], odd);
            if (!odd.AsSpan().SequenceEqual(whole) && SeenTree.Read(temporary["seen"], Name) is { } seen)
            {
                wrong++;
                await seen.IsStillSoAsync(temporary["t"], static (_, _) => false, CancellationToken.None);
            }
        }

        Assert.InRange(wrong, 1000, 2000);
    }

    private async Task<bool> IsStillSoAsync()
    {
        var seen = SeenTree.Read(temporary["seen"], Name);
        Assert.NotNull(seen);
        return await seen.IsStillSoAsync(temporary["t"], IsLeftOut, CancellationToken.None);
    }

    private static bool IsLeftOut(EntryPath path, EntryType type) => path == EntryPath.Parse("left-out");

    private SeenTree See() => SeenTree.From(Scan(), static found => found.Stat, Name)!;

    private IReadOnlyList<ScannedEntry> Scan() => TreeScanner.Scan(temporary["t"], IsLeftOut, CancellationToken.None).Entries;

    private static void WithMtimeKept(string path, Action<string> change)
    {
        var mtime = File.GetLastWriteTimeUtc(path);
        change(path);
        File.SetLastWriteTimeUtc(path, mtime);
    }
}
