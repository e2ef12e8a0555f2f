using System.Globalization;
using System.Text;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;
using Mirror.Testing;

namespace Mirror.Primary.Tests.Torture;

/// <summary>
/// Random changes of a tree, as fast as the file system takes them: everything programs do with files, and what they rather should not. The operations follow from the seed alone, whatever else
/// happens to the machine meanwhile; only this writer may change the tree.
/// </summary>
internal sealed class RandomOperations
{
    /// <summary>Where there are more, some go first.</summary>
    public const int MostPaths = 1500;

    private const int fewestFiles = 300;
    private const int depth = 7;

    private static readonly byte[] noise = LiveSite.Noise(99, 2 << 20);
    private static readonly uint[] fileModes = Environment.IsPrivilegedProcess ? [0x1a4, 0x180, 0x1ed, 0x124, 0x9ed, 0] : [0x1a4, 0x180, 0x1ed];
    private static readonly uint[] directoryModes = Environment.IsPrivilegedProcess ? [0x1ed, 0x1c0, 0x3ff, 0x16d, 0] : [0x1ed, 0x1c0];

    private readonly string root;
    private readonly Random random;
    private readonly (int Weight, string Name, Func<bool> Do)[] kinds;
    private readonly int weights;
    private readonly PathBag files = new();
    private readonly PathBag links = new();
    private readonly PathBag fifos = new();
    private readonly PathBag directories = new();
    private readonly string[] secrets;
    private long steps;

    /// <param name="root">Existing, empty directory.</param>
    /// <param name="outside">Directory outside of the tree: links lead there, and nothing of it may be captured.</param>
    public RandomOperations(string root, string outside, int seed)
    {
        this.root = root;
        random = new Random(seed);
        directories.Add("");
        secrets = [outside, outside + "/secret", "../../outside", "/etc"];
        kinds =
        [
            (14, "create", Create), (12, "append", Append), (10, "overwrite", Overwrite), (8, "replace by rename", Replace), (5, "truncate", Truncate),
            (10, "rename", RenameFile), (4, "rename a directory", RenameDirectory), (2, "exchange", Exchange), (10, "delete", Delete), (1, "delete a directory", DeleteDirectory),
            (5, "make a directory", MakeDirectory), (6, "chmod", ChangeMode), (3, "touch", Touch), (6, "forge the old time", Forge), (2, "set an attribute", SetAttribute),
            (5, "link", Link), (3, "symlink", Symlink), (4, "swap a symlink", SwapSymlink), (2, "file becomes symlink", FileToSymlink), (2, "symlink becomes file", SymlinkToFile),
            (1, "file becomes directory", FileToDirectory), (1, "directory becomes symlink", DirectoryToSymlink), (1, "fifo", Fifo),
        ];
        weights = kinds.Sum(static kind => kind.Weight);
    }

    /// <summary>
    /// Told of every path an operation names, relative to the root, as the kernel tells a watcher: of a file with several names the one that was used, of a directory that moves where it was and where it is.
    /// </summary>
    public Action<string>? Touched { get; init; }

    /// <summary>Told of every directory that was made, or moved, at its new path.</summary>
    public Action<string>? Came { get; init; }

    /// <summary>How often what was done.</summary>
    public SortedDictionary<string, int> Done { get; } = new(StringComparer.Ordinal);

    public int Paths => files.Count + links.Count + fifos.Count + directories.Count;

    public void Step()
    {
        steps++;
        while (true)
        {
            var (name, act) = files.Count < fewestFiles ? ("create", Create) : Paths > MostPaths ? ("delete", Delete) : Choose();
            if (act())
            {
                Done[name] = Done.GetValueOrDefault(name) + 1;
                return;
            }
        }
    }

    private (string Name, Func<bool> Do) Choose()
    {
        var number = random.Next(weights);
        foreach (var (weight, name, act) in kinds)
        {
            if ((number -= weight) < 0)
            {
                return (name, act);
            }
        }

        throw new InvalidOperationException("The weights do not add up.");
    }

    private bool Create()
    {
        if (NewPath() is not { } path)
        {
            return false;
        }

        File.WriteAllBytes(At(path), Content());
        files.Add(path);
        return true;
    }

    private bool Append() => OfFile(path =>
    {
        using var file = File.OpenHandle(At(path), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(file, Piece(3000), RandomAccess.GetLength(file));
    });

    private bool Overwrite() => OfFile(path =>
    {
        using var file = File.OpenHandle(At(path), FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        RandomAccess.Write(file, Piece(6000), random.NextInt64(RandomAccess.GetLength(file) + 1));
    });

    private bool Replace() => OfFile(path =>
    {
        var pending = Pending(path);
        File.WriteAllBytes(pending, Content());
        RawCalls.ChangeMode(pending, fileModes[random.Next(fileModes.Length)]);
        RawCalls.Rename(pending, At(path));
    });

    private bool Truncate() => OfFile(path => RawCalls.Truncate(At(path), random.NextInt64(random.Next(10) == 0 ? 1_500_000 : 40_000)));

    private bool RenameFile()
    {
        var bag = random.Next(4) == 0 ? links : files;
        if (bag.Draw(random) is not { } from || (random.Next(3) == 0 ? bag.Draw(random) : NewPath()) is not { } to || from == to)
        {
            return false;
        }

        RawCalls.Rename(At(from), At(to));

        // Of two names of one file rename(2) leaves both.
        if (!RawCalls.Exists(In(from)))
        {
            bag.Remove(from);
        }

        if (!bag.Contains(to))
        {
            bag.Add(to);
        }

        return true;
    }

    private bool RenameDirectory()
    {
        if (DrawDirectory() is not { } from || NewPath() is not { } to || PathBag.IsWithin(to, from))
        {
            return false;
        }

        RawCalls.Rename(At(from), At(to));
        Came?.Invoke(to);
        Move(from, to);
        return true;
    }

    private bool Exchange()
    {
        if (files.Draw(random) is not { } one || links.Draw(random) is not { } other)
        {
            return false;
        }

        RawCalls.Exchange(At(one), At(other));
        files.Remove(one);
        links.Remove(other);
        files.Add(other);
        links.Add(one);
        return true;
    }

    private bool Delete()
    {
        var bag = random.Next(8) switch { 0 => links, 1 => fifos, _ => files };
        if (bag.Draw(random) is not { } path)
        {
            return false;
        }

        RawCalls.Unlink(At(path));
        bag.Remove(path);
        return true;
    }

    private bool DeleteDirectory()
    {
        if (DrawDirectory() is not { } directory || Bags().Sum(bag => bag.All.Count(path => PathBag.IsWithin(path, directory))) is > 40)
        {
            return false;
        }

        foreach (var bag in Bags())
        {
            foreach (var path in bag.All.Where(path => PathBag.IsWithin(path, directory)).ToList())
            {
                RawCalls.Unlink(At(path));
                bag.Remove(path);
            }
        }

        foreach (var path in directories.All.Where(path => PathBag.IsWithin(path, directory)).OrderByDescending(static path => path.Length).ToList())
        {
            RawCalls.RemoveDirectory(At(path));
            directories.Remove(path);
        }

        return true;
    }

    private bool MakeDirectory()
    {
        if (NewPath() is not { } path)
        {
            return false;
        }

        RawCalls.MakeDirectory(At(path));
        Came?.Invoke(path);
        directories.Add(path);
        return true;
    }

    private bool ChangeMode()
    {
        if (random.Next(4) == 0 && DrawDirectory() is { } directory)
        {
            RawCalls.ChangeMode(At(directory), directoryModes[random.Next(directoryModes.Length)]);
            return true;
        }

        return OfFile(path => RawCalls.ChangeMode(At(path), fileModes[random.Next(fileModes.Length)]));
    }

    // From 1935 to 2105, to the nanosecond.
    private bool Touch()
    {
        if ((random.Next(3) switch { 0 => links, 1 => directories, _ => files }).Draw(random) is not { } path)
        {
            return false;
        }

        RawCalls.SetModified(At(path), random.NextInt64(-1_100_000_000_000_000_000, 4_260_000_000_000_000_000));
        return true;
    }

    /// <summary>Other bytes, of the same length, under the old time.</summary>
    private bool Forge() => OfFile(path =>
    {
        var before = TreeScanner.Stat(root, EntryPath.Parse(path))!.Value;
        using (var file = File.OpenHandle(At(path), FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
        {
            var length = RandomAccess.GetLength(file);
            if (length > 0)
            {
                var at = random.NextInt64(length);
                RandomAccess.Write(file, Piece((int)Math.Min(4000, length - at)), at);
            }
        }

        RawCalls.SetModified(At(path), before.MtimeNs);
    });

    private bool SetAttribute()
    {
        if ((random.Next(3) == 0 ? directories : files).Draw(random) is not { } path)
        {
            return false;
        }

        RawCalls.SetAttribute(At(path), $"user.{(char)('a' + random.Next(3))}", Piece(60).ToArray());
        return true;
    }

    private bool Link()
    {
        if (files.Draw(random) is not { } existing || NewPath() is not { } path)
        {
            return false;
        }

        // The first name is touched as well: nobody hears of it when something is written through a second one that is gone again before anybody looks.
        var before = TreeScanner.Stat(root, EntryPath.Parse(existing))!.Value;
        RawCalls.Link(In(existing), At(path));
        RawCalls.SetModified(At(existing), before.MtimeNs);
        files.Add(path);
        return true;
    }

    private bool Symlink()
    {
        if (NewPath() is not { } path)
        {
            return false;
        }

        RawCalls.Symlink(Target(), At(path));
        links.Add(path);
        return true;
    }

    private bool SwapSymlink()
    {
        if (links.Draw(random) is not { } path)
        {
            return false;
        }

        var pending = Pending(path);
        RawCalls.Symlink(Target(), pending);
        RawCalls.Rename(pending, At(path));
        return true;
    }

    private bool FileToSymlink() => OfFile(path =>
    {
        var pending = Pending(path);
        RawCalls.Symlink(Target(), pending);
        RawCalls.Rename(pending, At(path));
        files.Remove(path);
        links.Add(path);
    });

    private bool SymlinkToFile()
    {
        if (links.Draw(random) is not { } path)
        {
            return false;
        }

        var pending = Pending(path);
        File.WriteAllBytes(pending, Content());
        RawCalls.Rename(pending, At(path));
        links.Remove(path);
        files.Add(path);
        return true;
    }

    private bool FileToDirectory() => OfFile(path =>
    {
        RawCalls.Unlink(At(path));
        RawCalls.MakeDirectory(At(path));
        Came?.Invoke(path);
        files.Remove(path);
        directories.Add(path);
    });

    /// <summary>A directory goes elsewhere, and a link to it, or out of the tree, stands in its place: whoever walks by names is led astray.</summary>
    private bool DirectoryToSymlink()
    {
        if (DrawDirectory() is not { } from || NewPath() is not { } to || PathBag.IsWithin(to, from))
        {
            return false;
        }

        RawCalls.Rename(At(from), At(to));
        Came?.Invoke(to);
        Move(from, to);
        RawCalls.Symlink(random.Next(2) == 0 ? secrets[0] : In(to), At(from));
        links.Add(from);
        return true;
    }

    private bool Fifo()
    {
        if (NewPath() is not { } path)
        {
            return false;
        }

        RawCalls.MakeFifo(At(path));
        fifos.Add(path);
        return true;
    }

    private bool OfFile(Action<string> act)
    {
        if (files.Draw(random) is not { } path)
        {
            return false;
        }

        act(path);
        return true;
    }

    private IEnumerable<PathBag> Bags() => [files, links, fifos];

    private void Move(string from, string to)
    {
        directories.Move(from, to);
        foreach (var bag in Bags())
        {
            bag.Move(from, to);
        }
    }

    private string? DrawDirectory() => directories.Draw(random) is { Length: > 0 } path ? path : null;

    /// <summary>A name that nobody has, in a directory that is not too deep; names are few, so that they are used again for other things.</summary>
    private string? NewPath()
    {
        var directory = directories.Draw(random)!;
        var number = random.Next(400);
        var name = (number % 9) switch
        {
            0 => $"Datei-{number}-\u00e9",
            1 => $"Datei-{number - 1}-e\u0301",
            2 => $"new\nline {number}",
            3 => $"-{number}",
            4 => $"UPPER{number}",
            5 => $"upper{number - 1}",
            _ => string.Create(CultureInfo.InvariantCulture, $"f{number}"),
        };
        var path = directory.Length == 0 ? name : directory + "/" + name;
        return path.Count(static letter => letter == '/') > depth || directories.Contains(path) || Bags().Any(bag => bag.Contains(path)) ? null : path;
    }

    private string Target() => random.Next(4) switch
    {
        0 => secrets[random.Next(secrets.Length)],
        1 => "nowhere/" + random.Next(1000),
        _ => files.Draw(random) is { } file ? In(file) : "gone",
    };

    /// <summary>Where the new thing is made that is then renamed over the path; beside it, as everybody does.</summary>
    private string Pending(string path)
    {
        var at = path.LastIndexOf('/');
        return At($"{path[..(at + 1)]}.pending-{steps}");
    }

    /// <summary>Mostly small; now and then long enough for a signature, and for being read otherwise.</summary>
    private byte[] Content()
    {
        var length = random.Next(100) switch { < 5 => 0, < 80 => random.Next(4000), < 96 => random.Next(16_000, 60_000), < 99 => random.Next(100_000, 400_000), _ => random.Next(1_000_000, 1_300_000) };
        var piece = noise.AsSpan(random.Next(noise.Length - length), length).ToArray();
        Encoding.ASCII.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{steps:00000000}")).AsSpan(0, Math.Min(length, 8)).CopyTo(piece);
        return piece;
    }

    private ReadOnlySpan<byte> Piece(int most) => noise.AsSpan(random.Next(noise.Length - most), random.Next(most) + (most > 0 ? 1 : 0));

    private string In(string path) => path.Length == 0 ? root : root + "/" + path;

    /// <summary>Where an operation happens.</summary>
    private string At(string path)
    {
        Touched?.Invoke(path);
        return In(path);
    }
}
