"""The operator's password that is made up counts until there is another one."""

from nfcbridge.charger import FixedPasswords, Role
from nfcbridge.cli.charger import MadePassword


def test_a_made_password_is_the_operator_s_alone() -> None:
    passwords = MadePassword(FixedPasswords({Role.USER: "the user's"}), "made")
    assert passwords.password(Role.OPERATOR) == "made"
    assert passwords.password(Role.USER) == "the user's"
    assert passwords.password(Role.INSTALLER) is None


def test_a_password_that_was_set_since_goes_before_the_made_one() -> None:
    assert MadePassword(FixedPasswords({Role.OPERATOR: "set"}), "made").password(Role.OPERATOR) == "set"
