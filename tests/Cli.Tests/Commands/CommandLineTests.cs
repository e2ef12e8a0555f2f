using System.CommandLine;
using Mirror.Cli.Commands;
using Mirror.Cli.Output;

namespace Mirror.Cli.Tests.Commands;

public sealed class CommandLineTests
{
    private static readonly string[] hidden = ["guard"];

    /// <summary>By the words one types; a command that has others under it only gathers them.</summary>
    public static TheoryData<string> Commands => [.. Typed(CommandLine.Root(), "").Select(typed => typed.Words)];

    [Fact]
    public void Only_what_nobody_types_is_hidden() =>
        Assert.Equal(hidden, CommandLine.Root().Subcommands.Where(command => command.Hidden).Select(command => command.Name));

    [Theory]
    [MemberData(nameof(Commands))]
    public void Every_command_says_what_it_is_for_gives_an_example_and_speaks_json(string words)
    {
        var command = Typed(CommandLine.Root(), "").Single(typed => typed.Words == words).Command;

        Assert.Matches("\n\nExamples?: (.* )?mirror " + words, command.Description);
        Assert.True(command.Subcommands.Count > 0 || command.Options.Any(option => option.Name == "--json"));
        Assert.All(command.Options.Where(option => !option.Hidden), option => Assert.EndsWith(".", option.Description, StringComparison.Ordinal));
        Assert.All(command.Arguments, argument => Assert.EndsWith(".", argument.Description, StringComparison.Ordinal));
    }

    [Fact]
    public async Task Help_shows_the_example_and_is_no_error()
    {
        var help = await MirrorProgram.RunAsync("save", "--help");

        Assert.Equal(ExitCode.Ok, help.Code);
        Assert.Contains("Examples: mirror save /srv/wiki --store /backup/wiki", help.Output, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("diff")]
    [InlineData("frobnicate")]
    [InlineData("status", "--frobnicate")]
    [InlineData("show", "not-a-version", "--store", "/tmp")]
    public async Task A_line_that_makes_no_sense_is_a_usage_error(params string[] line)
    {
        var ended = await MirrorProgram.RunAsync(line);

        Assert.Equal(ExitCode.Usage, ended.Code);
        Assert.NotEmpty(ended.Errors);
    }

    [Fact]
    public async Task The_version_is_one_line()
    {
        var ended = await MirrorProgram.RunAsync("--version");

        Assert.Equal((ExitCode.Ok, Shown.VersionText + "\n"), (ended.Code, ended.Output));
    }

    private static IEnumerable<(string Words, Command Command)> Typed(Command root, string prefix) =>
        root.Subcommands.Where(command => !command.Hidden).SelectMany(command => Typed(command, $"{prefix}{command.Name} ").Prepend(($"{prefix}{command.Name}", command)));
}
