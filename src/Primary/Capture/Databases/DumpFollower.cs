using System.Security.Cryptography;
using Microsoft.Win32.SafeHandles;
using Mirror.Delta;
using Mirror.Node.Processes;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Capture.Databases;

/// <summary>
/// Reads the files of a dump while a program writes them, one after another and each from its beginning to its end: they are hashed and compared with the last version close behind the writer,
/// while they are in memory. When the program is done, so is nearly all of that. Only what was found is kept. If a file was not yet whole when the next one appeared, its length tells, and the capture reads it.
/// </summary>
/// <param name="only">The one file that is of the dump; null: all of them.</param>
/// <param name="basisOf">What the last version has of a file, by its name.</param>
/// <param name="gentle">Where it reads; null: anywhere.</param>
internal sealed class DumpFollower(string directory, string? only, Func<string, DumpBasis?> basisOf, BlockKey key, TimeProvider time, GentleThreads? gentle = null)
{
    // Below this there is nothing to gain: the capture reads small files all at once.
    private const long smallest = FilesAhead.MaxLength;

    // One look every so often, and not one for each of its writes, which are of 4 KiB.
    private static readonly TimeSpan turn = TimeSpan.FromMilliseconds(10);

    // Where there are many files, most of the time is not for listing them.
    private const int listingShare = 20;

    // A content that became much longer than the one before has other blocks: it is signed when its length is known.
    private const int mostGrowth = 4;
    private const long alwaysFollowed = 64 << 20;

    private readonly Dictionary<string, FollowedFile> files = new(StringComparer.Ordinal);
    private readonly HashSet<string> seen = new(StringComparer.Ordinal);
    private readonly Queue<string> waiting = new();
    private long listed;
    private TimeSpan listingTook = TimeSpan.Zero;

    /// <summary>The one file that is of the dump; null: all of them.</summary>
    public string? Only => only;

    /// <summary>What was found, by name.</summary>
    public IReadOnlyDictionary<string, FollowedFile> Files => files;

    /// <summary>Those that were given up, because the spool has the same content already.</summary>
    public HashSet<string> Unchanged { get; } = new(StringComparer.Ordinal);

    /// <summary>Names of files that nobody touches any more once the next one was begun. What did not change of them takes no room then until the dump is whole.</summary>
    public Func<string, bool> IsDoneWhenNextBegins { get; init; } = static _ => false;

    /// <summary>Runs the program beside it. Fails as that does, and then nothing was found.</summary>
    public async Task<T> BesideAsync<T>(Func<CancellationToken, Task<T>> program, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var writing = program(stop.Token);
        var following = gentle?.RunAsync(() => FollowAsync(writing, stop.Token)) ?? Task.Run(() => FollowAsync(writing, stop.Token), CancellationToken.None);
        try
        {
            if (await Task.WhenAny(writing, following) == following)
            {
                await following;
            }

            var result = await writing;
            await following;
            return result;
        }
        catch
        {
            await stop.CancelAsync();
            await Task.WhenAll(writing, following).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            files.Clear();
            throw;
        }
    }

    /// <summary>Whether the spool has the content of this file, which lies in the directory.</summary>
    public bool IsUnchanged(string name) => files.TryGetValue(name, out var file) && basisOf(name) is { InSpool: true } basis && basis.Hash == file.Hash && StatOf(name) == file.Stat;

    // Returns how many files it found something of.
    private async Task<int> FollowAsync(Task writer, CancellationToken cancellation)
    {
        while (true)
        {
            var over = writer.IsCompleted;
            if (waiting.Count == 0)
            {
                List(over);
            }

            if (writer.IsFaulted || writer.IsCanceled)
            {
                return files.Count;
            }

            if (waiting.TryDequeue(out var name))
            {
                await FollowAsync(name, writer, cancellation);
            }
            else if (over)
            {
                return files.Count;
            }
            else
            {
                await PauseAsync(writer, cancellation);
            }
        }
    }

    private async Task FollowAsync(string name, Task writer, CancellationToken cancellation)
    {
        using var file = File.OpenHandle(Path.Combine(directory, name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        while (RandomAccess.GetLength(file) <= smallest)
        {
            if (await IsDoneAsync(cancellation) && RandomAccess.GetLength(file) <= smallest)
            {
                return;
            }
        }

        var basis = basisOf(name);
        var signature = basis?.Signature();
        await using var content = new GrowingFile(file, signature is null ? long.MaxValue : alwaysFollowed + (mostGrowth * signature.ContentLength), IsDoneAsync);
        var (copies, hash) = signature is null ? (null, await HashAsync(content, cancellation))
            : basis is { IsQuiet: true } ? await FindQuietAsync(file, content, signature, basis.Hash, cancellation)
            : await FindAsync(content, signature, cancellation);
        var stat = TreeScanner.Describe(directory, file, EntryPath.Parse(name)).Stat;
        if (content.IsCut || stat.Size != content.Position)
        {
            return;
        }

        files[name] = new FollowedFile(stat, hash, copies is null ? default : basis!.Hash, copies);
        if (!writer.IsCompleted && IsDoneWhenNextBegins(name) && IsUnchanged(name))
        {
            files.Remove(name);
            Unchanged.Add(name);
            File.Delete(Path.Combine(directory, name));
        }

        async ValueTask<bool> IsDoneAsync(CancellationToken token)
        {
            // Asked in this order: a file that was begun, or an end that came, after the first answer is for the next time.
            if (waiting.Count > 0 || writer.IsCompleted)
            {
                return true;
            }

            await PauseAsync(writer, token);
            List(force: false);
            return waiting.Count > 0 || writer.IsCompleted;
        }
    }

    private async Task<(FoundCopies?, ContentHash)> FindAsync(GrowingFile content, BlockSignature signature, CancellationToken cancellation)
    {
        var copies = await FileDelta.FindAsync(content, signature, key, cancellation);
        return (copies, ContentHash.From(copies.Digest.Hash));
    }

    // What most likely is as it was is known again by its keyed signature, at a fraction of the time that SHA-256 takes. A surprise is hashed from its beginning on, by somebody else, from where it shows: it
    // mostly shows soon, and then the hash is there when the writer is done, or nearly.
    private async Task<(FoundCopies?, ContentHash)> FindQuietAsync(SafeFileHandle file, GrowingFile content, BlockSignature signature, ContentHash known, CancellationToken cancellation)
    {
        using var stop = CancellationTokenSource.CreateLinkedTokenSource(cancellation);
        var whole = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        Task<ContentHash>? hash = null;
        try
        {
            var copies = await FileDelta.FindAsync(content, signature, key, cancellation, WholeHash.XxHash128, HashBeside);
            whole.SetResult();
            if (!copies.IsBasis)
            {
                HashBeside();
            }

            return (copies, hash is null ? known : await hash);
        }
        catch
        {
            // It reads a file that is closed then.
            await stop.CancelAsync();
            await (hash ?? Task.CompletedTask).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            throw;
        }

        void HashBeside() => hash ??= Beside.RunAsync(() => HashAsync(new GrowingFile(file, long.MaxValue, IsWholeAsync), stop.Token), CancellationToken.None).Unwrap();

        async ValueTask<bool> IsWholeAsync(CancellationToken token)
        {
            await Task.WhenAny(whole.Task, Task.Delay(turn, time, token));
            token.ThrowIfCancellationRequested();
            return whole.Task.IsCompleted;
        }
    }

    private static async Task<ContentHash> HashAsync(Stream content, CancellationToken cancellation)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var buffer = new byte[256 << 10];
        int read;
        while ((read = await content.ReadAsync(buffer, cancellation)) > 0)
        {
            hash.AppendData(buffer, 0, read);
        }

        return ContentHash.From(hash.GetHashAndReset());
    }

    private async ValueTask PauseAsync(Task writer, CancellationToken cancellation)
    {
        cancellation.ThrowIfCancellationRequested();
        await Task.WhenAny(writer, Task.Delay(turn, time, cancellation));
    }

    // The files that were begun since, the one that is perhaps still written last.
    private void List(bool force)
    {
        if (!force && time.GetElapsedTime(listed) < listingTook * listingShare)
        {
            return;
        }

        var began = time.GetTimestamp();
        foreach (var file in new DirectoryInfo(directory).EnumerateFiles().Where(file => (only is null || file.Name == only) && file.LinkTarget is null && seen.Add(file.Name)).OrderBy(file => file.LastWriteTimeUtc).ToList())
        {
            waiting.Enqueue(file.Name);
        }

        listed = time.GetTimestamp();
        listingTook = time.GetElapsedTime(began, listed);
    }

    private StatKey? StatOf(string name) => TreeScanner.Stat(directory, EntryPath.Parse(name));
}
