using Grpc.Core;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Mirror.Cli.Output;
using Mirror.Node.Configuration;
using Mirror.Node.Listening;
using Mirror.Node.Wire;

namespace Mirror.Cli.Tests.Commands;

/// <summary>The command as it is typed, against a member that says what the test wants: how it ends when the answer does not come.</summary>
public sealed class PromoteCommandTests : IDisposable
{
    private readonly InitialCluster cluster = new();

    public void Dispose() => cluster.Dispose();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task An_answer_that_is_lost_ends_with_an_error_and_says_that_the_outcome_is_unknown(bool dies)
    {
        await using var member = await StartAsync(new Answers { Dies = dies });
        var ended = await MirrorProgram.RunAsync("promote", "beta", "--config", cluster.Config, "--node", "alpha", "--json");

        Assert.Equal(ExitCode.Failed, ended.Code);
        Assert.False(ended.Json.GetProperty("ok").GetBoolean());
        Assert.StartsWith("the outcome is unknown", ended.Json.GetProperty("outcome").GetString(), StringComparison.Ordinal);
        Assert.Equal(dies, ended.Json.GetProperty("outcome").GetString()!.Contains("alpha went away", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_would_be_lost_is_shown_with_host_role_and_epoch_before_anything_is_asked_for()
    {
        var answers = new Answers { Stake = new PromoteStake { Node = "beta", Holds = At(3, 7), Newest = At(3, 9), Versions = 2, Seconds = 12, OnlyOn = { "alpha" } } };
        await using var member = await StartAsync(answers);
        var line = new[] { "promote", "beta", "--config", cluster.Config, "--node", "alpha", "--allow-data-loss", "--reason", "alpha burnt down" };

        var unconfirmed = await MirrorProgram.RunAsync(line);
        Assert.Equal(ExitCode.Usage, unconfirmed.Code);
        Assert.Contains("Promote beta at 127.0.0.2, a replica, to primary of site (epoch 3, which has no primary)?", unconfirmed.Errors, StringComparison.Ordinal);
        Assert.Contains("2 version(s), 3.7 to 3.9, 12 s of work, of a size that only alpha could tell", unconfirmed.Errors, StringComparison.Ordinal);
        Assert.True(Assert.Single(answers.Asked).DryRun);

        // What was shown is what is asked for, and nothing else.
        answers.Asked.Clear();
        var done = await MirrorProgram.RunAsync([.. line, "--yes", "--json"]);
        Assert.Equal(ExitCode.Ok, done.Code);
        Assert.Equal([true, false], answers.Asked.Select(asked => asked.DryRun));
        Assert.Equal(("beta", 3ul, "alpha burnt down", true), (answers.Asked[1].To, answers.Asked[1].Epoch, answers.Asked[1].Reason, answers.Asked[1].AllowDataLoss));
        Assert.Equal("3.9", done.Json.GetProperty("at_stake").GetProperty("newest").GetString());

        var unsaid = await MirrorProgram.RunAsync("promote", "beta", "--config", cluster.Config, "--node", "alpha", "--allow-data-loss", "--yes");
        Assert.Equal(ExitCode.Usage, unsaid.Code);
        Assert.Contains("--reason", unsaid.Errors, StringComparison.Ordinal);
    }

    private static VersionPosition At(ulong epoch, ulong sequence) => new() { Epoch = epoch, Sequence = sequence };

    private async Task<WebApplication> StartAsync(Answers answers)
    {
        await cluster.InitHereAsync(FreePort.Next(), FreePort.Next());
        var member = ConfigFile.Load(cluster.Config, "alpha", new Dictionary<string, string>()).Members["alpha"];
        Directory.CreateDirectory(member.State);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddGrpc();
        builder.Services.AddSingleton(answers);
        builder.ListenForControl(member.ControlSocket);
        var host = builder.Build();
        host.MapGrpcService<Answers>();
        await host.StartAsync();
        return host;
    }

    /// <summary>Says the rules and one step; then it goes away, or says nothing more, or what there is to say when something is at stake.</summary>
    private sealed class Answers : Control.ControlBase
    {
        public bool Dies { get; init; }

        public PromoteStake? Stake { get; init; }

        public List<PromoteRequest> Asked { get; } = [];

        public override async Task Promote(PromoteRequest request, IServerStreamWriter<PromoteProgress> responseStream, ServerCallContext context)
        {
            Asked.Add(request);
            var rules = new PromoteProgress { Step = "rules", Primary = "beta", Epoch = 3, Stake = Stake, Checks = { new RuleCheck { Node = "beta", Rule = "is reachable", Value = "yes", Limit = "yes", Ok = true } } };
            await responseStream.WriteAsync(rules);
            if (request.DryRun)
            {
                await responseStream.WriteAsync(new PromoteProgress { Step = "what is not met is overruled; nothing was changed", Done = true, Ok = true, Epoch = 3, Stake = Stake });
                return;
            }

            await responseStream.WriteAsync(new PromoteProgress { Step = "beta stands for election" });
            if (Dies)
            {
                context.GetHttpContext().Abort();
            }
            else if (Stake is not null)
            {
                await responseStream.WriteAsync(new PromoteProgress { Step = "beta is primary in epoch 4", Done = true, Ok = true, Primary = "beta", Epoch = 4 });
            }
        }
    }
}
