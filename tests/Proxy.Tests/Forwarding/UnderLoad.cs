using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Http;
using Mirror.Leadership.Membership;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Forwarding;

public sealed class UnderLoad
{
    /// <summary>Primaries are killed one after the other, with the catalogue behind the facts; readers see nothing, writers are never served twice.</summary>
    [Fact]
    public async Task While_primaries_are_killed_no_read_fails_and_no_write_happens_twice()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var executed = new ConcurrentDictionary<string, int>();
        var acknowledged = new ConcurrentBag<string>();
        var refused = new ConcurrentBag<HttpStatusCode>();
        RequestDelegate app = async context =>
        {
            if (HttpMethods.IsPost(context.Request.Method))
            {
                executed.AddOrUpdate(context.Request.Path.Value!, 1, (_, count) => count + 1);
            }

            // Of known length, as pages are: the proxy has the whole answer before the client sees any of it.
            context.Response.ContentLength = 4_000;
            await context.Response.WriteAsync(new string('x', 2_000));
            await context.Response.Body.FlushAsync();
            await Task.Yield();
            await context.Response.WriteAsync(new string('y', 2_000));
        };
        var whole = new string('x', 2_000) + new string('y', 2_000);
        var primary = await environment.AppAsync("0", app);
        await environment.SayAsync(Primary("0", 1, primary.Address));
        using var enough = new CancellationTokenSource();
        var reads = 0;
        var readers = Enumerable.Range(0, 6).Select(async _ =>
        {
            while (!enough.IsCancellationRequested)
            {
                Assert.Equal(whole, await environment.GetAsync("/read"));
                Interlocked.Increment(ref reads);
            }
        });
        var writers = Enumerable.Range(0, 3).Select(async writer =>
        {
            for (var i = 0; !enough.IsCancellationRequested; i++)
            {
                var path = $"/write/{writer}/{i}";
                try
                {
                    using var response = await environment.SendAsync(HttpMethod.Post, path, new StringContent("x"));
                    if (response.IsSuccessStatusCode)
                    {
                        acknowledged.Add(path);
                    }
                    else
                    {
                        refused.Add(response.StatusCode);
                    }

                    await response.Content.ReadAsByteArrayAsync();
                }
                catch (Exception exception) when (exception is HttpRequestException or IOException)
                {
                    // The answer had begun and broke off: the writer knows that it does not know.
                }
            }
        });
        var all = Task.WhenAll(readers.Concat(writers).ToList());

        for (var epoch = 2ul; epoch <= 12; epoch++)
        {
            var before = Volatile.Read(ref reads);
            await TestEnvironment.UntilAsync(() => all.IsCompleted || Volatile.Read(ref reads) > before + 20, "reads go on");
            var node = epoch.ToString();
            var next = await environment.AppAsync(node, app);
            await primary.KillAsync();
            if (epoch % 2 == 0)
            {
                await environment.SayAsync(Replica(node, epoch, null));
            }

            await environment.SayAsync(Primary(node, epoch, next.Address));
            primary = next;
        }

        await enough.CancelAsync();
        await all;
        Assert.All(executed.Values, times => Assert.Equal(1, times));
        Assert.All(acknowledged, path => Assert.True(executed.ContainsKey(path)));
        Assert.All(refused, status => Assert.Equal(HttpStatusCode.BadGateway, status));
    }

    /// <summary>A planned switchover in a row of them: no request of any kind fails.</summary>
    [Fact]
    public async Task While_sites_are_switched_over_by_plan_nothing_fails_and_nothing_is_sent_to_the_old_primary()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var reign = 1ul;
        var late = 0;
        RequestDelegate AppOf(ulong epoch) => async context =>
        {
            if (Volatile.Read(ref reign) != epoch)
            {
                Interlocked.Increment(ref late);
            }

            await context.Response.WriteAsync("done");
        };
        var app = await environment.AppAsync("1", AppOf(1));
        await environment.SayAsync(Primary("1", 1, app.Address));
        using var enough = new CancellationTokenSource();
        var done = 0;
        var all = Task.WhenAll(Enumerable.Range(0, 6).Select(async client =>
        {
            while (!enough.IsCancellationRequested)
            {
                using var response = client % 2 == 0
                    ? await environment.SendAsync(HttpMethod.Post, "/write", new StringContent("x"))
                    : await environment.SendAsync(HttpMethod.Get, "/read");
                Assert.Equal(HttpStatusCode.OK, response.StatusCode);
                Interlocked.Increment(ref done);
            }
        }).ToList());

        for (var epoch = 2ul; epoch <= 10; epoch++)
        {
            var before = Volatile.Read(ref done);
            await TestEnvironment.UntilAsync(() => all.IsCompleted || Volatile.Read(ref done) > before + 20, "requests go on");
            var report = await environment.HoldAsync(epoch - 1);
            Assert.True(report.Drained);
            Volatile.Write(ref reign, epoch);
            var next = await environment.AppAsync(epoch.ToString(), AppOf(epoch));
            await environment.SayAsync(
                Primary((epoch - 1).ToString(), epoch - 1, null, SiteRole.Fenced), Primary(epoch.ToString(), epoch, next.Address));
        }

        await enough.CancelAsync();
        await all;
        Assert.Equal(0, late);
    }
}
