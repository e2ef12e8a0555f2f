using Mirror.Node.Apps;

namespace Mirror.Node.Tests.Apps;

public sealed class MariaDbToolTests
{
    private const string Dump10 = "mariadb-dump  Ver 10.19 Distrib 10.11.6-MariaDB, for debian-linux-gnu (x86_64)";
    private const string Dump11 = "mariadb-dump from 11.4.2-MariaDB, client 10.19 for Linux (x86_64)";
    private const string MySqlDump = "mysqldump  Ver 8.0.36 for Linux on x86_64 (MySQL Community Server - GPL)";

    private const string PackagedMySqlDump = "mysqldump  Ver 9.7.4-2 for Linux on x86_64 ((Debian))";

    [Theory]
    [InlineData(Dump10, "10.11.6-MariaDB-0+deb12u1", null)]
    [InlineData(Dump10, "5.5.5-10.3.39-MariaDB", null)]
    [InlineData(Dump11, "10.11.6-MariaDB-0+deb12u1", null)]
    [InlineData(Dump10, "11.4.2-MariaDB", "older than the server")]
    [InlineData(Dump10, "10.12.1-MariaDB", "older than the server")]
    [InlineData(Dump10, "8.0.36", null)]
    [InlineData(MySqlDump, "8.0.36-0ubuntu0.22.04.1", null)]
    [InlineData(PackagedMySqlDump, "9.7.4-2", null)]
    [InlineData(MySqlDump, "8.4.0", "older than the server")]
    [InlineData(MySqlDump, "10.11.6-MariaDB", "Install mariadb-client")]
    [InlineData("something", "10.11.6-MariaDB", "cannot be understood")]
    public void A_client_older_than_its_server_or_of_another_house_is_refused(string client, string server, string? says)
    {
        var wrong = MariaDbTool.WrongVersions(client, server);
        if (says is null)
        {
            Assert.Null(wrong);
        }
        else
        {
            Assert.Contains(says, wrong, StringComparison.Ordinal);
        }
    }
}
