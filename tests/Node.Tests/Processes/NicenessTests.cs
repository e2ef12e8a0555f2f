using CliWrap.Buffered;
using Mirror.Node.Configuration;
using Mirror.Node.Processes;

namespace Mirror.Node.Tests.Processes;

public sealed class NicenessTests
{
    [Fact]
    public async Task A_program_is_as_gentle_as_asked_and_so_is_what_it_starts()
    {
        var here = await AskAsync(Niceness.None);
        var gentle = await AskAsync(new Niceness(10, IoPriority.Low));
        var idle = await AskAsync(new Niceness(3, IoPriority.Idle));

        Assert.Equal(int.Parse(here[0], null) + 10, int.Parse(gentle[0], null));
        Assert.Equal("best-effort: prio 7", gentle[1]);
        Assert.Equal(int.Parse(here[0], null) + 3, int.Parse(idle[0], null));
        Assert.Equal("idle", idle[1]);
    }

    [Fact]
    public async Task Its_arguments_and_its_exit_code_are_its_own()
    {
        var (file, arguments) = new Niceness(5, IoPriority.Idle).Wrap("/bin/sh", ["-c", "printf '%s|' \"$@\"; exit 7", "sh", "-n", "a b", "--", ""]);
        var ended = await CliWrap.Cli.Wrap(file).WithArguments(arguments).WithValidation(CliWrap.CommandResultValidation.None).ExecuteBufferedAsync();
        Assert.Equal(("-n|a b|--||", 7), (ended.StandardOutput, ended.ExitCode));
    }

    [Fact]
    public void Without_any_wish_the_program_itself_is_started() =>
        Assert.Equal(("/bin/true", 1), (Niceness.None.Wrap("/bin/true", ["x"]).File, Niceness.None.Wrap("/bin/true", ["x"]).Arguments.Count));

    // What a child of the program has: its niceness and its I/O priority.
    private static async Task<string[]> AskAsync(Niceness niceness)
    {
        var (file, arguments) = niceness.Wrap("/bin/sh", ["-c", "nice; ionice"]);
        var said = await CliWrap.Cli.Wrap(file).WithArguments(arguments).ExecuteBufferedAsync();
        return said.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries);
    }
}
