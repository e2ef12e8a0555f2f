using System.Globalization;
using Wiki.Storage;

namespace Wiki.Users;

public sealed class UserStore(Database database, TimeProvider time)
{
    /// <returns>False when the name is taken.</returns>
    public bool Add(string name, string password)
    {
        using var connection = database.Open();
        return connection.Execute(
            "INSERT INTO users (name, password, created) VALUES ($name, $password, $created) ON CONFLICT DO NOTHING",
            ("$name", name), ("$password", Password.Hash(password)), ("$created", time.GetUtcNow().ToString("O", CultureInfo.InvariantCulture))) == 1;
    }

    public bool IsRight(string name, string password)
    {
        using var connection = database.Open();
        var stored = connection.Scalar<string>("SELECT password FROM users WHERE name = $name", ("$name", name));
        return Password.Verify(password, stored ?? Password.Nobody) && stored is not null;
    }
}
