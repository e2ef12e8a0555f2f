using Mirror.Node.Configuration;
using static Mirror.Node.Tests.Configuration.Sample;

namespace Mirror.Node.Tests.Configuration;

public sealed class DatabaseSectionTests
{
    [Fact]
    public void Each_kind_has_its_own_keys()
    {
        var databases = Parse(With("""
            main: { sqlite: data/wiki.db, within: 5s }
                  shop: { postgres: "Host=/run/postgresql;Database=shop", roles: passwords }
                  blog: { mariadb: "Server=/run/{node}.sock;Database=blog", option-file: "/etc/{node}.cnf", lock-tables: true }
                  any: { command: [dump, "{directory}", "{node}"], load: [load, "{dump}"], at-least: 2K, within: 3m }
            """), "alpha").Sites["wiki"].Databases;

        Assert.Equal([TimeSpan.FromSeconds(5), TimeSpan.FromHours(1), TimeSpan.FromHours(1), TimeSpan.FromMinutes(3)], databases.Select(database => database.Within));
        Assert.Equal(PostgresRoles.Passwords, databases[1].Roles);
        Assert.Equal(("Server=/run/alpha.sock;Database=blog", "/etc/alpha.cnf", true), (databases[2].Connection, databases[2].OptionFile, databases[2].LockTables));
        Assert.Equal(["dump", "{directory}", "alpha"], databases[3].Command);
        Assert.Equal((2048, "load {dump}"), (databases[3].AtLeast, string.Join(' ', databases[3].Load)));
    }

    [Theory]
    [InlineData("main: { sqlite: a.db, mariadb: \"Server=x;Database=y\" }", "databases.main", "A database is of one kind; here are sqlite and mariadb.")]
    [InlineData("main: { within: 5s }", "databases.main", "The kind of database is missing.")]
    [InlineData("main: { sqlite: a.db, roles: none }", "databases.main.roles", "There is no such key.")]
    [InlineData("main: { postgres: \"Host=x;Database=y\", roles: all }", "databases.main.roles", "'all' is none of names, passwords, none.")]
    [InlineData("main: { mariadb: \"Server=x;Database=y;Pwd=z\" }", "databases.main.mariadb", "The connection holds a password, which every reader of this file would see.")]
    [InlineData("main: { mariadb: \"Database=y\" }", "databases.main.mariadb", "The connection names no host.")]
    [InlineData("main: { sqlite: a.db }\n      any: { command: [] }", "databases.any.command", "The list is empty.")]
    [InlineData("main: { sqlite: a.db }\n      any: { command: [dump, \"{dump}\"] }", "databases.any.command[1]", "{dump} means nothing here.")]
    [InlineData("main: { command: [dump] }", "apps.web.environment.WIKI_DB", "{database:main} is dumped by a command: Mirror does not know where it is.")]
    public void What_is_wrong_is_said_where_it_is(string databases, string key, string what)
    {
        var fault = Assert.Single(FaultsOf(With(databases)));
        Assert.Equal(("sites.wiki." + key, what), (fault.Key, fault.What));
    }

    [Fact]
    public void Hooks_are_read_and_an_empty_section_is_a_fault()
    {
        var hooks = Parse(Good + "\n    hooks: { before: [freeze, now], after: [thaw], within: 5s }").Sites["wiki"].Hooks!;
        Assert.Equal(("freeze now", "thaw", TimeSpan.FromSeconds(5)), (string.Join(' ', hooks.Before), string.Join(' ', hooks.After), hooks.Within));
        Assert.Equal("sites.wiki.hooks", Assert.Single(FaultsOf(Good + "\n    hooks: {}")).Key);
    }

    private static string With(string databases) => Good.Replace("main: { sqlite: data/wiki.db }", databases, StringComparison.Ordinal);
}
