using Mirror.Cli.Demo;
using Mirror.Testing;

namespace Mirror.Cli.Tests.Demo;

public sealed class DemoLogsTests : IDisposable
{
    private readonly TemporaryDirectory files = new();

    public void Dispose() => files.Dispose();

    [Fact]
    public void The_last_errors_of_each_member_are_told_and_nothing_else()
    {
        Write("alpha", "10:00:00.000 info: Mirror.Site[1] well", "10:00:01.000 fail: Mirror.Site[7022] first", "10:00:02.000 fail: Mirror.Site[7022] second",
            "10:00:03.000 crit: Mirror.Site[7050] third", "10:00:04.000 fail: Mirror.Site[7022] fourth", "10:00:05.000 warn: Mirror.Site[2] odd");
        Write("beta", "mirror: beta cannot listen on 127.0.0.1:1");
        Write("gamma", "10:00:00.000 info: Mirror.Site[1] to fail: it would say so");

        var told = Describe();

        Assert.StartsWith($"Everything is left in {files.Path}, with the log of each member", told, StringComparison.Ordinal);
        Assert.Equal(
            [
                "  alpha: 10:00:02.000 fail: Mirror.Site[7022] second", "  alpha: 10:00:03.000 crit: Mirror.Site[7050] third",
                "  alpha: 10:00:04.000 fail: Mirror.Site[7022] fourth", "  beta: mirror: beta cannot listen on 127.0.0.1:1",
            ],
            told.Split('\n')[1..]);
    }

    [Fact]
    public void A_line_without_end_is_cut()
    {
        Write("alpha", "10:00:01.000 fail: Mirror.Site[1] " + new string('x', 100_000));

        Assert.True(Describe().Length < 1000);
    }

    [Fact]
    public void Where_nobody_complained_that_is_said() =>
        Assert.EndsWith("None of them logged an error.", Describe(), StringComparison.Ordinal);

    private string Describe() => DemoLogs.Describe(files.Path, ["alpha", "beta", "gamma", "front"], LogOf);

    private void Write(string member, params string[] lines)
    {
        files.Make(member);
        File.WriteAllLines(LogOf(member), lines);
    }

    private string LogOf(string member) => Path.Combine(files[member], "mirror.log");
}
