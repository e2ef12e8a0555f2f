using Mirror.Node.Apps;

namespace Mirror.Node.Tests.Apps;

public sealed class AppTemplateTests
{
    private static readonly AppTemplate s_template = new(
        new Dictionary<string, string> { ["port"] = "20001", ["root"] = "/srv/{slot}", ["slot"] = "a" },
        new Dictionary<string, string> { ["main"] = "Host=db;Database=x" });

    [Theory]
    [InlineData("http://*:{port}{root}", "http://*:20001/srv/{slot}")]
    [InlineData("{database:main};Pooling=true", "Host=db;Database=x;Pooling=true")]
    [InlineData("{\"a\": {\"slot\": \"{slot}\"}}", "{\"a\": {\"slot\": \"a\"}}")]
    [InlineData("{} { port } {PORT} {0}", "{} { port } {PORT} {0}")]
    public void Placeholders_are_replaced_once_and_other_braces_kept(string text, string expected) => Assert.Equal(expected, s_template.Fill(text));

    [Theory]
    [InlineData("--p={prt}", "'{prt}' in '--p={prt}' is not a placeholder; there are {port}, {root}, {slot}, {database:NAME}.")]
    [InlineData("{port:1}", "'{port:1}' in '{port:1}' is not a placeholder; there are {port}, {root}, {slot}, {database:NAME}.")]
    [InlineData("{database}", "'{database}' in '{database}' is not a placeholder; there are {port}, {root}, {slot}, {database:NAME}.")]
    [InlineData("{database:other}", "'{database:other}' in '{database:other}': the site has no database 'other'; it has main.")]
    public void An_unknown_placeholder_is_named_with_those_there_are(string text, string message) =>
        Assert.Equal(message, Assert.Throws<AppTemplateException>(() => s_template.Fill(text)).Message);
}
