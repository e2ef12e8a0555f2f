using System.Net;
using System.Security.Cryptography;
using Microsoft.AspNetCore.Http;
using Mirror.Proxy.Tests.Environment;
using static Mirror.Proxy.Tests.Environment.FakeCatalogue;

namespace Mirror.Proxy.Tests.Holding;

public sealed class HeldBodies
{
    private static readonly byte[] Large = RandomNumberGenerator.GetBytes(3_000_001);

    [Fact]
    public async Task A_large_body_is_taken_in_while_its_request_waits_and_arrives_whole()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", EchoHashAsync);
        var sending = environment.SendAsync(HttpMethod.Post, "/", new ByteArrayContent(Large));
        await TestEnvironment.UntilAsync(() => environment.Bodies.Taken == Large.Length, "the whole body is here");

        await environment.SayAsync(Primary("a", 1, a.Address));

        using var response = await sending;
        Assert.Equal(Convert.ToHexString(SHA256.HashData(Large)), await response.Content.ReadAsStringAsync());
        await TestEnvironment.UntilAsync(() => environment.Bodies.Taken == 0, "its room is given back");
        Assert.Single(a.Seen);
    }

    [Fact]
    public async Task What_there_is_no_room_for_stays_with_the_client_and_arrives_all_the_same()
    {
        await using var environment = await TestEnvironment.StartAsync(holdBytes: 200_000);
        var a = await environment.AppAsync("a", EchoHashAsync);
        var one = environment.SendAsync(HttpMethod.Post, "/", new ByteArrayContent(Large));
        var two = environment.SendAsync(HttpMethod.Post, "/", new ByteArrayContent(Large));
        await environment.HeldAsync(2);
        await TestEnvironment.UntilAsync(() => environment.Bodies.Taken > 200_000 - 16 * 1024, "the room is taken");
        Assert.InRange(environment.Bodies.Taken, 0, 200_000);

        await environment.SayAsync(Primary("a", 1, a.Address));

        foreach (var sending in new[] { one, two })
        {
            using var response = await sending;
            Assert.Equal(Convert.ToHexString(SHA256.HashData(Large)), await response.Content.ReadAsStringAsync());
        }
    }

    [Fact]
    public async Task A_large_put_whose_app_dies_in_its_middle_is_sent_again_whole()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var half = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var a = await environment.AppAsync("a", async context =>
        {
            await context.Request.Body.ReadExactlyAsync(new byte[1_000_000]);
            half.SetResult();
            await Task.Delay(Timeout.InfiniteTimeSpan, TimeProvider.System, context.RequestAborted);
        });
        var b = await environment.AppAsync("b", EchoHashAsync);
        await environment.SayAsync(Primary("a", 1, a.Address));
        var sending = environment.SendAsync(HttpMethod.Put, "/", new ByteArrayContent(Large));
        await half.Task;

        await a.KillAsync();
        await environment.SayAsync(Primary("b", 2, b.Address));

        using var response = await sending;
        Assert.Equal(HttpStatusCode.OK, response.StatusCode);
        Assert.Equal(Convert.ToHexString(SHA256.HashData(Large)), await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_directory_that_cannot_be_written_to_costs_no_request()
    {
        await using var environment = await TestEnvironment.StartAsync();
        var a = await environment.AppAsync("a", EchoHashAsync);
        await File.WriteAllTextAsync(Path.Combine(environment.State, "holding"), "no directory");
        var sending = environment.SendAsync(HttpMethod.Post, "/", new ByteArrayContent(Large));
        await environment.HeldAsync(1);
        await TestEnvironment.UntilAsync(() => environment.Bodies.Taken > 64 * 1024, "memory is full");

        await environment.SayAsync(Primary("a", 1, a.Address));

        using var response = await sending;
        Assert.Equal(Convert.ToHexString(SHA256.HashData(Large)), await response.Content.ReadAsStringAsync());
    }

    [Fact]
    public async Task A_client_that_leaves_in_the_middle_of_its_body_gives_its_room_back()
    {
        await using var environment = await TestEnvironment.StartAsync();
        using var leaving = new CancellationTokenSource();
        var gone = environment.Client.SendAsync(TestEnvironment.Request(HttpMethod.Post, "/", new StreamContent(new Endless())), leaving.Token);
        await environment.HeldAsync(1);
        await TestEnvironment.UntilAsync(() => environment.Bodies.Taken > 1_000_000, "a part of the body is here");

        await leaving.CancelAsync();

        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => gone);
        await environment.HeldAsync(0);
        await TestEnvironment.UntilAsync(() => environment.Bodies.Taken == 0, "its room is given back");
        Assert.Empty(Directory.GetFiles(Path.Combine(environment.State, "holding")));
    }

    private static async Task EchoHashAsync(HttpContext context) =>
        await context.Response.WriteAsync(Convert.ToHexString(await SHA256.HashDataAsync(context.Request.Body)));

    /// <summary>A body that has no end, as far as anybody reads.</summary>
    private sealed class Endless : MemoryStream
    {
        public override bool CanSeek => false;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => new(buffer.Length);

        public override Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken) => CopyForeverAsync(destination, cancellationToken);

        private static async Task CopyForeverAsync(Stream destination, CancellationToken cancellation)
        {
            var some = new byte[16 * 1024];
            while (true)
            {
                await destination.WriteAsync(some, cancellation);
            }
        }
    }
}
