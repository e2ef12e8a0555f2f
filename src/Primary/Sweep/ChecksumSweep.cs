using System.Security.Cryptography;
using Microsoft.Extensions.Logging;
using Mirror.Store.Manifests;
using Mirror.Store.Tree;

namespace Mirror.Primary.Sweep;

/// <summary>
/// Reads every captured file of the live tree once in a set time, evenly and in the background, and compares it with what was captured. That finds what no stat tells: rot on the source's disk, a
/// forged stat, a program that writes through a mapping the kernel has not noted yet. What it finds is said, loudly and for as long as it is so, and nothing else is done: whether the file or the
/// history is right is for a person to say (docs/decisions/0006-checksum-sweep.md).
/// </summary>
internal sealed partial class ChecksumSweep(string site, string tree, TimeSpan period, CapturedFiles files, string statePath, TimeProvider time, ILogger logger) : IAsyncDisposable
{
    private const int batchFiles = 16;
    private const int chunkLength = 1 << 20;

    /// <summary>Opening a file costs about as much as reading this much of one.</summary>
    private const long bytesPerFile = 64 << 10;
    private const int mostFindings = 1000;
    private static readonly TimeSpan saveEvery = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan emptyWait = TimeSpan.FromMinutes(10);

    private readonly Pace pace = new(period, time);
    private readonly byte[] chunk = new byte[chunkLength];
    private SweepState state = SweepState.At(time.GetUtcNow());
    private volatile IReadOnlyList<SweepFinding> findings = [];
    private long saved;

    /// <summary>Ends when the role is left.</summary>
    public Task Running { get; private set; } = Task.CompletedTask;

    /// <summary>What is not as it was captured, and was not captured again since it was found.</summary>
    public IReadOnlyList<SweepFinding> Findings => findings;

    /// <summary>Raised after <see cref="Findings"/> changed.</summary>
    public event Action? Changed;

    public void Start(CancellationToken leaving)
    {
        state = SweepState.Read(statePath) ?? state;
        findings = state.Findings;
        saved = time.GetTimestamp();
        Running = Task.Run(() => RunAsync(leaving), CancellationToken.None);
    }

    public async ValueTask DisposeAsync() => await Running;

    private async Task RunAsync(CancellationToken leaving)
    {
        try
        {
            while (true)
            {
                await StepAsync(leaving);
            }
        }
        catch (OperationCanceledException) when (leaving.IsCancellationRequested)
        {
            // The role is being left.
        }
        catch (Exception unforeseen)
        {
            // Captures go on without it.
            Log.Stopped(logger, unforeseen, site);
        }
        finally
        {
            Save();
        }
    }

    private async Task StepAsync(CancellationToken leaving)
    {
        await ForgetCapturedAsync(leaving);
        var batch = await files.AfterAsync(state.Position, batchFiles, leaving);
        foreach (var file in batch.Files)
        {
            var total = batch.TotalBytes + (batch.TotalFiles * bytesPerFile);
            await CheckAsync(file, total, leaving);
            state = state with { Position = file.Entry.Path, Files = state.Files + 1, Bytes = state.Bytes + file.Entry.Size };
            if (time.GetElapsedTime(saved) > saveEvery)
            {
                Save();
            }

            await pace.SpendAsync((double)bytesPerFile / total, leaving);
        }

        if (batch.Files.Count > 0)
        {
            return;
        }

        if (state.Files == 0)
        {
            await Task.Delay(emptyWait < period ? emptyWait : period, time, leaving);
        }
        else
        {
            Log.RoundDone(logger, site, state.Files, state.Bytes, time.GetUtcNow() - state.Began, findings.Count);
        }

        state = SweepState.At(time.GetUtcNow());
        Save();
    }

    private async Task CheckAsync(CapturedFile file, long total, CancellationToken leaving)
    {
        if (await ReadAsync(file, total, leaving) is not { } first || (first.Fault.Length == 0 && first.Hash == file.Entry.Hash))
        {
            Drop(found => found.Path == file.Entry.Path);
            return;
        }

        // Once more, before anybody is alarmed.
        if (await ReadAsync(file, total, leaving) is not { } second || !await files.IsStillSoAsync(file.Entry.Path, file.Entry.Hash, file.Stat, leaving))
        {
            return;
        }

        var (fault, reason) = second.Fault.Length > 0 ? (SweepFault.Unreadable, second.Fault)
            : second.Hash == file.Entry.Hash || first.Fault.Length > 0 || first.Hash != second.Hash ? (SweepFault.Unsteady, "two readings differ")
            : (SweepFault.Changed, $"its SHA-256 is {second.Hash} and was {file.Entry.Hash}");
        Add(new SweepFinding(file.Entry.Path, fault, reason, file.Entry.Hash, file.Stat, time.GetUtcNow()));
    }

    /// <summary>Null when it is gone or was touched: then the next capture looks at it.</summary>
    private async Task<(ContentHash Hash, string Fault)?> ReadAsync(CapturedFile file, long total, CancellationToken leaving)
    {
        var path = file.Entry.Path;
        try
        {
            if (TreeScanner.Stat(tree, path) != file.Stat)
            {
                return null;
            }

            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            await using (var content = TreeScanner.OpenRead(tree, path))
            {
                for (var at = 0L; ;)
                {
                    int length;
                    using (IdleDisk.Enter())
                    {
                        length = RandomAccess.Read(content.SafeFileHandle, chunk, at);
                    }

                    if (length == 0)
                    {
                        break;
                    }

                    hash.AppendData(chunk, 0, length);
                    at += length;
                    await pace.SpendAsync((double)length / total, leaving);
                }
            }

            return TreeScanner.Stat(tree, path) == file.Stat ? (ContentHash.From(hash.GetHashAndReset()), "") : null;
        }
        catch (Exception failure) when (failure is FileNotFoundException or DirectoryNotFoundException)
        {
            return null;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            return IsAsCaptured(file) ? (default(ContentHash), failure.Message) : null;
        }
    }

    private bool IsAsCaptured(CapturedFile file)
    {
        try
        {
            return TreeScanner.Stat(tree, file.Entry.Path) == file.Stat;
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            // Not even its stat can be had: a capture meets that, and says so.
            return false;
        }
    }

    // A finding is over when the file was captured anew, or is gone.
    private async Task ForgetCapturedAsync(CancellationToken leaving)
    {
        foreach (var found in findings)
        {
            if (!await files.IsStillSoAsync(found.Path, found.Expected, found.Stat, leaving))
            {
                Drop(other => other == found);
            }
        }
    }

    private void Add(SweepFinding finding)
    {
        var before = findings;
        if (before.FirstOrDefault(found => found.Path == finding.Path) is { } known)
        {
            finding = finding with { Seen = known.Seen };
        }

        Log.Found(logger, site, finding.Path.ToString(), finding.Fault, finding.Reason);
        var others = before.Where(found => found.Path != finding.Path).Take(mostFindings - 1);
        Publish([.. others.Append(finding).OrderBy(static found => found.Path)]);
    }

    private void Drop(Func<SweepFinding, bool> over)
    {
        var dropped = findings.Where(over).ToList();
        if (dropped.Count > 0)
        {
            dropped.ForEach(found => Log.Over(logger, site, found.Path.ToString()));
            Publish([.. findings.Except(dropped)]);
        }
    }

    private void Publish(IReadOnlyList<SweepFinding> now)
    {
        findings = now;
        Save();
        Changed?.Invoke();
    }

    private void Save()
    {
        saved = time.GetTimestamp();
        try
        {
            (state with { Findings = findings }).Write(statePath);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException)
        {
            Log.NotSaved(logger, site, failure.Message);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(3040, LogLevel.Error, "{Site}: {Path} is not what was captured, though its stat says that nobody touched it ({Fault}: {Reason}). Versions and replicas have it as it was: `mirror cat VERSION PATH` shows it, `mirror restore` brings it back. If the change is meant, `touch` the file, and the next capture takes it")]
        public static partial void Found(ILogger logger, string site, string path, SweepFault fault, string reason);

        [LoggerMessage(3041, LogLevel.Information, "{Site}: every captured file was read: {Files} files, {Bytes} bytes in {Took}; {Findings} not as captured")]
        public static partial void RoundDone(ILogger logger, string site, long files, long bytes, TimeSpan took, int findings);

        [LoggerMessage(3042, LogLevel.Information, "{Site}: {Path} is as captured again, or was captured anew")]
        public static partial void Over(ILogger logger, string site, string path);

        [LoggerMessage(3043, LogLevel.Error, "{Site}: the checksum sweep ended by a fault nobody foresaw; captures go on without it until the next start")]
        public static partial void Stopped(ILogger logger, Exception fault, string site);

        [LoggerMessage(3044, LogLevel.Warning, "{Site}: how far the checksum sweep came cannot be kept: {Reason}")]
        public static partial void NotSaved(ILogger logger, string site, string reason);
    }
}
