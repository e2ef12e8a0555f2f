using System.Globalization;
using System.Net.Http.Json;
using System.Text.Json;
using Mirror.Cli.Commands;
using Mirror.Cli.Demo;
using Mirror.Cli.Output;
using Mirror.Node.Wire;
using Mirror.Store.Versions;

namespace Mirror.Scenarios.Failover;

/// <summary>
/// Users at work on a stage on which all is well, until something is broken. Afterwards it is held to what was promised: of each page the lines that are there are in order and there once, each that was acknowledged before a
/// version that was called consistent is there, nobody got an answer of an older reign than of one that had answered before he asked, and no two nodes led in one epoch.
/// </summary>
internal sealed class Scene : IAsyncDisposable
{
    private static readonly TimeSpan look = TimeSpan.FromMilliseconds(10);

    private readonly Stage stage;
    private readonly TimeProvider time = TimeProvider.System;
    private readonly List<VersionId> promised = [];
    private DateTimeOffset broken;
    private ulong brokenReign;

    private Scene(Stage stage, DemoLoad users) => (this.stage, Users) = (stage, users);

    /// <summary>When it begins.</summary>
    public string Primary { get; private set; } = "";

    public ulong Epoch { get; private set; }

    /// <summary>Epochs that answered.</summary>
    public IEnumerable<ulong> Reigns => Users.Answers.Select(answer => answer.Epoch).Distinct().Order();

    public DemoLoad Users { get; }

    public IReadOnlyList<string> Replicas => [.. Stage.Nodes.Where(node => node != Primary)];

    /// <param name="name">Of the pages that are written: lower case, not used before.</param>
    public static async Task<Scene> BeginAsync(Stage stage, string name, CancellationToken cancellation)
    {
        await stage.SettleAsync(cancellation);
        var before = stage.Watch.Consistent;
        var scene = new Scene(stage, new DemoLoad(stage.Site, name, stage.Network.ClientOf(Stage.Users)));
        try
        {
            await WaitAsync(() => stage.Watch.Consistent > before && scene.Users.Pages.All(page => scene.Users.Acknowledged.Any(line => line.Page == page)), cancellation);
            var site = await stage.SettleAsync(cancellation);
            (scene.Primary, scene.Epoch) = (site.Primary, site.Epoch);
            return scene;
        }
        catch
        {
            await scene.DisposeAsync();
            throw;
        }
    }

    /// <summary>What was promised at this moment is what is asked for afterwards.</summary>
    public void Break(Action how)
    {
        Note();
        how();
    }

    public async Task BreakAsync(Func<Task> how)
    {
        Note();
        await how();
    }

    /// <summary>From the moment at which it was broken to the first answer of a later reign, in milliseconds.</summary>
    public async Task<double> UntilReplacedAsync(CancellationToken cancellation)
    {
        await WaitAsync(() => Users.Answers.Any(answer => answer.Epoch > brokenReign), cancellation);
        return (Users.Answers.Where(answer => answer.Epoch > brokenReign).Min(answer => answer.At) - broken).TotalMilliseconds;
    }

    /// <summary>Until answers come that were asked for after this call.</summary>
    public async Task<double> UntilAnsweredAsync(CancellationToken cancellation)
    {
        var asked = time.GetUtcNow();
        await WaitAsync(() => Users.Answers.Any(answer => answer.Asked > asked), cancellation);
        return (Users.Answers.Where(answer => answer.Asked > asked).Min(answer => answer.At) - asked).TotalMilliseconds;
    }

    /// <summary>Until a later version is consistent.</summary>
    public Task UntilConsistentAsync(VersionId than, CancellationToken cancellation) => WaitAsync(() => stage.Watch.Consistent > than, cancellation);

    /// <summary>Until a node is a replica as good as any, in milliseconds.</summary>
    public async Task<double> UntilBackAsync(string node, CancellationToken cancellation)
    {
        var began = time.GetTimestamp();
        await stage.UntilAsync($"{node} did not come back", status => DemoStory.IsSettled(status) && status.Sites[0].Primary != node
            && status.Sites[0].Holdings.Any(holding => holding.Node == node && holding.Reachable), cancellation);
        return time.GetElapsedTime(began).TotalMilliseconds;
    }

    /// <summary>Longest that anybody waited who asked after it was broken, in milliseconds.</summary>
    public double LongestWait(bool writes) =>
        Users.Answers.Where(answer => answer.At > broken && (answer.IsWrite || !writes)).Select(answer => (answer.At - answer.Asked).TotalMilliseconds).DefaultIfEmpty().Max();

    /// <summary>Mends the stage, sends the users home and asks for what was promised.</summary>
    public async Task<Outcome> EndAsync(CancellationToken cancellation)
    {
        var site = await stage.SettleAsync(cancellation);
        await UntilAnsweredAsync(cancellation);
        await Users.StopAsync();
        Assert.Empty(stage.Watch.Faults);
        AssertNoOldAnswers();
        var present = await ReadPagesAsync(cancellation);
        var lost = Users.Acknowledged.Where(line => !present[line.Page].Contains(line.Line)).ToList();
        foreach (var (version, at) in await TimesAsync(site.Primary, cancellation))
        {
            Assert.Empty(lost.Where(line => line.Epoch == version.Epoch && line.At < at).Select(line => $"{line.Line}, acknowledged at {line.At:HH:mm:ss.fff}, before {version} of {at:HH:mm:ss.fff}"));
        }

        return new Outcome(Users.FailedReads, Users.FailedWrites, lost.Count);
    }

    public async ValueTask DisposeAsync() => await Users.DisposeAsync();

    private static async Task WaitAsync(Func<bool> met, CancellationToken cancellation)
    {
        while (!met())
        {
            await Task.Delay(look, cancellation);
        }
    }

    private void Note()
    {
        promised.Add(stage.Watch.Consistent);
        broken = time.GetUtcNow();
        brokenReign = Reigns.Max();
    }

    private void AssertNoOldAnswers()
    {
        var newest = 0UL;
        var byTime = Users.Answers.OrderBy(answer => answer.At).ToList();
        var heard = byTime.Select(answer => (answer.At, Epoch: newest = Math.Max(newest, answer.Epoch))).ToList();
        foreach (var answer in byTime)
        {
            var last = heard.FindLastIndex(before => before.At < answer.Asked);
            Assert.False(last >= 0 && heard[last].Epoch > answer.Epoch, $"An answer of epoch {answer.Epoch} to what was asked when epoch {(last >= 0 ? heard[last].Epoch : 0)} had answered.");
        }
    }

    private async Task<Dictionary<string, HashSet<string>>> ReadPagesAsync(CancellationToken cancellation)
    {
        using var client = new HttpClient(stage.Network.ClientOf(Stage.Users)) { BaseAddress = stage.Site };
        var pages = new Dictionary<string, HashSet<string>>();
        foreach (var page in Users.Pages)
        {
            var text = (await client.GetFromJsonAsync<JsonElement>(new Uri($"/api/pages/{page}", UriKind.Relative), cancellation)).GetProperty("text").GetString()!;
            var lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            var numbers = lines.Select(line => int.Parse(line[(line.LastIndexOf(' ') + 1)..], CultureInfo.InvariantCulture)).ToList();
            Assert.Equal(numbers.Distinct().Order(), numbers);
            pages[page] = [.. lines];
        }

        return pages;
    }

    // When each version was captured that was the newest consistent one in the moment in which something was broken. A line is part of it when the same reign had acknowledged it before.
    private async Task<Dictionary<VersionId, DateTimeOffset>> TimesAsync(string node, CancellationToken cancellation)
    {
        var reply = await stage.Cluster.ControlOf(node).GetVersionsAsync(new VersionsRequest { Site = DemoSetup.Wiki }, deadline: Deadlines.Soon(), cancellationToken: cancellation);
        return promised.Distinct().ToDictionary(version => version, version => VersionText.TimeOf(reply.Versions.First(known => Asking.ToId(known.Id) == version)));
    }
}

/// <param name="Unfinished">Acknowledged writes that no consistent version had yet, and that went with the primary.</param>
internal sealed record Outcome(long FailedReads, long FailedWrites, int Unfinished);
