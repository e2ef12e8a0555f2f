using System.Text;

namespace Mirror.Store.Manifests;

/// <summary>
/// A path inside a tree, as the bytes the kernel gives: relative, separated by '/', not assumed to be UTF-8. The empty path is the root.
/// A value of this type has been checked: it cannot leave the root and has no empty, <c>.</c> or <c>..</c> component and no NUL.
/// Order: directory by directory, that is, '/' sorts before every other byte, so that a directory's contents are neighbours.
/// </summary>
public readonly struct EntryPath : IEquatable<EntryPath>, IComparable<EntryPath>
{
    public const int MaxLength = 4095;
    public const int MaxNameLength = 255;

    private readonly byte[]? bytes;

    private EntryPath(byte[] bytes) => this.bytes = bytes;

    public static EntryPath Root => default;

    public ReadOnlySpan<byte> Bytes => bytes;

    public bool IsRoot => bytes is null or { Length: 0 };

    /// <exception cref="InvalidDataException">The path is absolute, leaves the root, is too long or has an empty component or a NUL.</exception>
    public static EntryPath Parse(ReadOnlySpan<byte> bytes)
    {
        if (Fault(bytes) is { } fault)
        {
            throw new InvalidDataException($"The path \"{Display(bytes)}\" is refused: {fault}.");
        }

        return new EntryPath(bytes.ToArray());
    }

    public static EntryPath Parse(string utf8) => Parse(Encoding.UTF8.GetBytes(utf8));

    /// <summary>Bytes that were a path before, and need not be checked again.</summary>
    internal static EntryPath Again(ReadOnlySpan<byte> bytes) => bytes.IsEmpty ? Root : new EntryPath(bytes.ToArray());

    public EntryPath Append(ReadOnlySpan<byte> name)
    {
        if (name.IsEmpty || name.Contains((byte)'/') || Fault(name) is not null)
        {
            throw new InvalidDataException($"The file name \"{Display(name)}\" is refused: it is not one component of a path.");
        }

        if (IsRoot)
        {
            return new EntryPath(name.ToArray());
        }

        if (bytes!.Length + 1 + name.Length > MaxLength)
        {
            throw new InvalidDataException($"The path \"{this}/{Display(name)}\" is refused: it is longer than {MaxLength} bytes.");
        }

        var joined = new byte[bytes.Length + 1 + name.Length];
        bytes.CopyTo(joined, 0);
        joined[bytes.Length] = (byte)'/';
        name.CopyTo(joined.AsSpan(bytes.Length + 1));
        return new EntryPath(joined);
    }

    /// <summary>The same path when a directory at or above it has another path.</summary>
    /// <exception cref="InvalidDataException">It becomes too long.</exception>
    public EntryPath Moved(EntryPath from, EntryPath to)
    {
        var rest = Bytes[from.Bytes.Length..];
        if (to.Bytes.Length + rest.Length > MaxLength)
        {
            throw new InvalidDataException($"The path \"{this}\" cannot move from \"{from}\" to \"{to}\": it would be longer than {MaxLength} bytes.");
        }

        var moved = new byte[to.Bytes.Length + rest.Length];
        to.Bytes.CopyTo(moved);
        rest.CopyTo(moved.AsSpan(to.Bytes.Length));
        return new EntryPath(moved);
    }

    /// <summary>The directory that holds this entry; the root's parent is the root.</summary>
    public EntryPath Parent
    {
        get
        {
            var slash = Bytes.LastIndexOf((byte)'/');
            return slash < 0 ? Root : new EntryPath(bytes![..slash]);
        }
    }

    /// <summary>The last component.</summary>
    public ReadOnlySpan<byte> Name => Bytes[(Bytes.LastIndexOf((byte)'/') + 1)..];

    /// <summary>True for the path itself and everything below it.</summary>
    public bool IsWithin(EntryPath directory) => IsWithin(Bytes, directory.Bytes);

    internal static bool IsWithin(ReadOnlySpan<byte> path, ReadOnlySpan<byte> directory) =>
        directory.IsEmpty || (path.StartsWith(directory) && (path.Length == directory.Length || path[directory.Length] == (byte)'/'));

    /// <summary>True for what lies in the directory itself.</summary>
    public bool IsChildOf(EntryPath directory) => !IsRoot && IsWithin(directory) && Math.Max(0, Bytes.LastIndexOf((byte)'/')) == directory.Bytes.Length;

    public int CompareTo(EntryPath other) => Compare(Bytes, other.Bytes);

    internal static int Compare(ReadOnlySpan<byte> left, ReadOnlySpan<byte> right)
    {
        var common = left.CommonPrefixLength(right);
        if (common == left.Length || common == right.Length)
        {
            return left.Length.CompareTo(right.Length);
        }

        return Rank(left[common]).CompareTo(Rank(right[common]));

        static int Rank(byte value) => value == (byte)'/' ? -1 : value;
    }

    public bool Equals(EntryPath other) => Bytes.SequenceEqual(other.Bytes);

    public override bool Equals(object? obj) => obj is EntryPath other && Equals(other);

    public override int GetHashCode()
    {
        var hash = new HashCode();
        hash.AddBytes(Bytes);
        return hash.ToHashCode();
    }

    public static bool operator ==(EntryPath left, EntryPath right) => left.Equals(right);
    public static bool operator !=(EntryPath left, EntryPath right) => !left.Equals(right);
    public static bool operator <(EntryPath left, EntryPath right) => left.CompareTo(right) < 0;
    public static bool operator >(EntryPath left, EntryPath right) => left.CompareTo(right) > 0;
    public static bool operator <=(EntryPath left, EntryPath right) => left.CompareTo(right) <= 0;
    public static bool operator >=(EntryPath left, EntryPath right) => left.CompareTo(right) >= 0;

    /// <summary>For people: control characters and bytes that are not UTF-8 appear as <c>\xNN</c>.</summary>
    public override string ToString() => Display(Bytes);

    /// <summary>Any bytes of a name or a link target, for people.</summary>
    public static string Display(ReadOnlySpan<byte> bytes)
    {
        var text = new StringBuilder(bytes.Length);
        while (!bytes.IsEmpty)
        {
            var status = Rune.DecodeFromUtf8(bytes, out var rune, out var consumed);
            if (status == System.Buffers.OperationStatus.Done && !Rune.IsControl(rune))
            {
                text.Append(rune);
            }
            else
            {
                foreach (var value in bytes[..consumed])
                {
                    text.Append("\\x").Append(value.ToString("x2"));
                }
            }

            bytes = bytes[consumed..];
        }

        return text.ToString();
    }

    private static string? Fault(ReadOnlySpan<byte> bytes)
    {
        if (bytes.Length > MaxLength)
        {
            return $"it is longer than {MaxLength} bytes";
        }

        if (bytes.Contains((byte)0))
        {
            return "it contains a NUL";
        }

        if (bytes.IsEmpty)
        {
            return null;
        }

        foreach (var range in bytes.Split((byte)'/'))
        {
            var name = bytes[range];
            if (name.IsEmpty)
            {
                return "it is absolute or has an empty component";
            }

            if (name.SequenceEqual("."u8) || name.SequenceEqual(".."u8))
            {
                return "it has a '.' or '..' component";
            }

            if (name.Length > MaxNameLength)
            {
                return $"a component is longer than {MaxNameLength} bytes";
            }
        }

        return null;
    }
}
