using System.Text;
using Mirror.Node.Consul;

namespace Mirror.Node.Tests.Consul;

/// <summary>
/// What Mirror relies on of Consul, part by part: kept by the stand-in always, and by a real one where there is one. Everything has names that nobody else has, so that a Consul in use is not
/// disturbed.
/// </summary>
internal static class ConsulContract
{
    private static readonly Dictionary<string, Func<Probe, Task>> parts = new()
    {
        ["a lock is taken and freed in one step with its value"] = TakeAndFreeAsync,
        ["a lock whose session ended has a delay"] = DelayAsync,
        ["a lock that was freed has none, and counts on"] = NoDelayAsync,
        ["a critical check ends its sessions"] = CheckAsync,
        ["waiting at a key ends with its next change, or with the time"] = WaitAsync,
        ["a service is found with its tags and its health"] = ServiceAsync,
        ["whoever knows its session gives a lock back, once"] = GiveBackAsync,
    };

    public static TheoryData<string> Names() => [.. parts.Keys];

    public static async Task CheckAsync(string part, ConsulClient consul, CancellationToken cancellation)
    {
        var probe = new Probe(consul, $"mirror-test-{Guid.NewGuid():N}", cancellation);
        try
        {
            await parts[part](probe);
        }
        finally
        {
            await probe.CleanAsync();
        }
    }

    private static async Task TakeAndFreeAsync(Probe probe)
    {
        Assert.Null((await probe.ReadAsync()).Entry);
        var session = await probe.SessionAsync();
        var taken = await probe.LockAsync(session, "one");
        var entry = (await probe.ReadAsync()).Entry!;
        Assert.Equal((session, 1ul, taken.Entries[^1].ModifyIndex, "one"), (entry.Session, entry.LockIndex, entry.ModifyIndex, Encoding.UTF8.GetString(entry.Value)));
        Assert.Equal(1ul, taken.Entries[^1].LockIndex);

        // Nothing is done when any of it cannot be.
        Assert.False((await probe.CommitAsync(new(KeyVerb.CheckIndex, probe.Name) { Index = entry.ModifyIndex - 1 }, probe.Set("two", entry.ModifyIndex))).Committed);
        Assert.False((await probe.CommitAsync(new(KeyVerb.CheckSession, probe.Name) { Session = Guid.NewGuid().ToString() }, probe.Set("two", entry.ModifyIndex))).Committed);
        Assert.Equal("one", Encoding.UTF8.GetString((await probe.ReadAsync()).Entry!.Value));

        var written = await probe.CommitAsync(new(KeyVerb.CheckSession, probe.Name) { Session = session }, probe.Set("two", entry.ModifyIndex));
        Assert.True(written.Committed);
        entry = (await probe.ReadAsync()).Entry!;
        Assert.Equal((session, 1ul, written.Entries[^1].ModifyIndex), (entry.Session, entry.LockIndex, entry.ModifyIndex));
        Assert.True((await probe.CommitAsync(new(KeyVerb.CheckIndex, probe.Name) { Index = entry.ModifyIndex }, probe.Free(session, "three"))).Committed);
        entry = (await probe.ReadAsync()).Entry!;
        Assert.Equal((null, 1ul, "three"), (entry.Session, entry.LockIndex, Encoding.UTF8.GetString(entry.Value)));
    }

    private static async Task DelayAsync(Probe probe)
    {
        var session = await probe.SessionAsync();
        await probe.LockAsync(session, "one");
        Assert.True(await probe.Consul.RenewSessionAsync(session, probe.Cancellation));
        await probe.Consul.CloseSessionAsync(session, probe.Cancellation);
        Assert.False(await probe.Consul.RenewSessionAsync(session, probe.Cancellation));
        Assert.Null((await probe.ReadAsync()).Entry!.Session);

        var refused = await probe.CommitAsync(new KeyOperation(KeyVerb.Lock, probe.Name) { Session = await probe.SessionAsync(), Value = [] });
        Assert.False(refused.Committed);
        Assert.Contains("lock delay", refused.Why, StringComparison.Ordinal);
    }

    private static async Task NoDelayAsync(Probe probe)
    {
        var former = await probe.SessionAsync();
        await probe.LockAsync(former, "one");
        var next = await probe.SessionAsync();
        var taken = await probe.CommitAsync(probe.Free(former, "two"), new(KeyVerb.Lock, probe.Name) { Session = next, Value = "three"u8.ToArray() });
        Assert.True(taken.Committed, taken.Why);
        Assert.Equal((next, 2ul), ((await probe.ReadAsync()).Entry!.Session, taken.Entries[^1].LockIndex));
    }

    private static async Task CheckAsync(Probe probe)
    {
        var session = await probe.SessionAsync();
        await probe.LockAsync(session, "one");
        await probe.Consul.ReportAsync(probe.Name, ServiceHealth.Critical, "stopped", probe.Cancellation);
        await probe.UntilFreeAsync();
        Assert.False(await probe.Consul.RenewSessionAsync(session, probe.Cancellation));
    }

    private static async Task WaitAsync(Probe probe)
    {
        await probe.CommitAsync(probe.Set("one", 0));
        var first = await probe.Consul.WatchKeyAsync(probe.Name, 0, TimeSpan.FromSeconds(30), probe.Cancellation);
        var same = await probe.Consul.WatchKeyAsync(probe.Name, first.Index, TimeSpan.FromMilliseconds(100), probe.Cancellation);
        Assert.Equal(first.Index, same.Index);
        var waiting = probe.Consul.WatchKeyAsync(probe.Name, first.Index, TimeSpan.FromSeconds(30), probe.Cancellation);
        await probe.CommitAsync(probe.Set("two", first.Entry!.ModifyIndex));
        Assert.Equal("two", Encoding.UTF8.GetString((await waiting).Entry!.Value));
    }

    private static async Task ServiceAsync(Probe probe)
    {
        await probe.RegisterAsync();
        var found = await probe.UntilServiceAsync(static one => one.Health == ServiceHealth.Passing);
        Assert.Equal((probe.Name, "10.0.0.1", 20001), (found.Id, found.Address, found.Port));
        Assert.Equal(["primary"], found.Tags);
        Assert.Equal("alpha", found.Meta["node"]);
        await probe.Consul.ReportAsync(probe.Name, ServiceHealth.Critical, "stopped", probe.Cancellation);
        await probe.UntilServiceAsync(static one => one.Health == ServiceHealth.Critical);
        await Assert.ThrowsAsync<ConsulException>(() => probe.Consul.ReportAsync(probe.Name + "-other", ServiceHealth.Passing, "", probe.Cancellation));
    }

    private static async Task GiveBackAsync(Probe probe)
    {
        var session = await probe.SessionAsync();
        await probe.LockAsync(session, Encoding.UTF8.GetString(new LockRecord("alpha", 3, 4, 7, false, null).Write()));
        Assert.Equal(ReleaseOutcome.NotHeld, await LockRelease.RunAsync(probe.Consul, probe.Name, Guid.NewGuid().ToString(), null, probe.Cancellation));
        Assert.Equal(ReleaseOutcome.Released, await LockRelease.RunAsync(probe.Consul, probe.Name, session, "beta", probe.Cancellation));
        Assert.Equal(ReleaseOutcome.NotHeld, await LockRelease.RunAsync(probe.Consul, probe.Name, session, null, probe.Cancellation));
        Assert.Equal(new LockRecord("alpha", 3, 4, 7, true, "beta"), LockRecord.Read((await probe.ReadAsync()).Entry!.Value));
    }

    /// <param name="Name">Of the key, the service and its sessions.</param>
    private sealed record Probe(ConsulClient Consul, string Name, CancellationToken Cancellation)
    {
        private readonly List<string> _sessions = [];
        private bool _isRegistered;

        public Task<KeyReading> ReadAsync() => Consul.ReadKeyAsync(Name, Cancellation);

        public Task<CommitOutcome> CommitAsync(params KeyOperation[] operations) => Consul.CommitAsync(operations, Cancellation);

        public KeyOperation Set(string value, ulong at) => new(KeyVerb.Cas, Name) { Index = at, Value = Encoding.UTF8.GetBytes(value) };

        public KeyOperation Free(string session, string value) => new(KeyVerb.Unlock, Name) { Session = session, Value = Encoding.UTF8.GetBytes(value) };

        public async Task<CommitOutcome> LockAsync(string session, string value)
        {
            var taken = await CommitAsync(Set("", 0), new KeyOperation(KeyVerb.Lock, Name) { Session = session, Value = Encoding.UTF8.GetBytes(value) });
            Assert.True(taken.Committed, taken.Why);
            return taken;
        }

        public async Task RegisterAsync()
        {
            await Consul.RegisterAsync(
                new(Name, Name, ["primary"], "10.0.0.1", 20001, new Dictionary<string, string> { ["node"] = "alpha" }, TimeSpan.FromMinutes(1), ServiceHealth.Passing), Cancellation);
            _isRegistered = true;
        }

        public async Task<string> SessionAsync()
        {
            if (!_isRegistered)
            {
                await RegisterAsync();

                // The agent tells the servers of a new check in its own time.
                await UntilServiceAsync(static one => one.Health == ServiceHealth.Passing);
            }

            var session = await Consul.OpenSessionAsync(new(Name, TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(5), Name), Cancellation);
            _sessions.Add(session);
            return session;
        }

        public async Task<ServiceInstance> UntilServiceAsync(Func<ServiceInstance, bool> wanted)
        {
            var index = 0ul;
            while (true)
            {
                var reading = await Consul.WatchServiceAsync(Name, index, TimeSpan.FromSeconds(5), Cancellation);
                if (reading.Instances is [var one] && wanted(one))
                {
                    return one;
                }

                index = ConsulIndex.Next(index, reading.Index);
            }
        }

        public async Task UntilFreeAsync()
        {
            var index = 0ul;
            while (true)
            {
                var reading = await Consul.WatchKeyAsync(Name, index, TimeSpan.FromSeconds(5), Cancellation);
                if (reading.Entry!.Session is null)
                {
                    return;
                }

                index = ConsulIndex.Next(index, reading.Index);
            }
        }

        public async Task CleanAsync()
        {
            foreach (var session in _sessions)
            {
                await Consul.CloseSessionAsync(session, Cancellation);
            }

            await CommitAsync(new KeyOperation(KeyVerb.Delete, Name));
            if (_isRegistered)
            {
                await Consul.DeregisterAsync(Name, Cancellation);
            }
        }
    }
}
