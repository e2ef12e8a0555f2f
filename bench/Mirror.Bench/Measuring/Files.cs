using ZstdSharp;

namespace Mirror.Bench.Measuring;

/// <summary>What is asked of files and folders after a step, outside its time.</summary>
internal static class Files
{
    public static bool Same(string one, string other)
    {
        using var left = File.OpenRead(one);
        using var right = File.OpenRead(other);
        if (left.Length != right.Length)
        {
            return false;
        }

        var (ours, theirs) = (new byte[1 << 20], new byte[1 << 20]);
        while (true)
        {
            var read = left.ReadAtLeast(ours, ours.Length, throwOnEndOfStream: false);
            if (right.ReadAtLeast(theirs, theirs.Length, throwOnEndOfStream: false) != read || !ours.AsSpan(0, read).SequenceEqual(theirs.AsSpan(0, read)))
            {
                return false;
            }

            if (read < ours.Length)
            {
                return true;
            }
        }
    }

    /// <summary>The first path at which the trees differ in names or contents; null: they do not.</summary>
    public static string? FirstDifference(string one, string other)
    {
        var (ours, theirs) = (Names(one), Names(other));
        if (ours.Except(theirs).Concat(theirs.Except(ours)).Order(StringComparer.Ordinal).FirstOrDefault() is { } alone)
        {
            return alone;
        }

        return ours.FirstOrDefault(name => !Same(Path.Combine(one, name), Path.Combine(other, name)));
    }

    /// <summary>Bytes of the file at zstd's level 3.</summary>
    public static async Task<long> CompressedLengthAsync(string path)
    {
        var counted = new CountingStream();
        await using (var compressing = new CompressionStream(counted, 3))
        await using (var file = File.OpenRead(path))
        {
            await file.CopyToAsync(compressing, 1 << 20);
        }

        return counted.Length;
    }

    /// <summary>Sum of the lengths of all files below.</summary>
    public static long LengthBelow(string folder) => !Directory.Exists(folder) ? 0 : new DirectoryInfo(folder).EnumerateFiles("*", all).Sum(file => file.LinkTarget is null ? file.Length : 0);

    public static int CountBelow(string folder) => new DirectoryInfo(folder).EnumerateFiles("*", all).Count();

    public static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
        else if (Directory.Exists(Path.GetDirectoryName(path)))
        {
            File.Delete(path);
        }
    }

    // Links are files here, wherever they lead.
    private static readonly EnumerationOptions all = new() { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None };

    private static HashSet<string> Names(string folder) =>
        [.. new DirectoryInfo(folder).EnumerateFiles("*", all).Select(file => Path.GetRelativePath(folder, file.FullName))];

    private sealed class CountingStream : Stream
    {
        private long _length;

        public override bool CanRead => false;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => _length;

        public override long Position { get => _length; set => throw new NotSupportedException(); }

        public override void Write(byte[] buffer, int offset, int count) => _length += count;

        public override void Write(ReadOnlySpan<byte> buffer) => _length += buffer.Length;

        public override void Flush()
        {
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
